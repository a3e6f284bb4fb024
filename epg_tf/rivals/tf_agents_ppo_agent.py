"""One `PPOClipAgent` of TF-Agents that trains any number of agents, one after the other.

An agent's variables are swapped in before it learns and read back afterwards
(`swapped_variables`).
"""

# Pyright's TensorFlow stubs know no static shapes, and TF-Agents types every field as any nest.
# pyright: reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportOperatorIssue=false

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tf_agents.agents.ppo import ppo_clip_agent
from tf_agents.networks import actor_distribution_network, normal_projection_network, value_network
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory

from epg_tf.agent.experience import Experience
from epg_tf.rivals.swapped_variables import SwappedVariables
from epg_tf.rivals.tf_agents_trajectories import Trajectories, trajectories


@dataclasses.dataclass(frozen=True)
class TFAgentsPPO:
    """The settings of TF-Agents' PPO.

    Attributes:
        learning_rate: Adam's step size.
        adam_epsilon: Adam's epsilon.
        num_epochs: Passes over the M newest steps per update.
        minibatch_size: Steps per gradient step, at most M.
        clip: The clip of the probability ratio, the agent's `importance_ratio_clipping`.
        discount: gamma.
        gae_lambda: lambda of the generalised advantage estimate.
        gradient_clipping: The largest norm of a gradient; 0 for no limit.
        initial_std: The initial standard deviation of a Gaussian policy; None for that of the
            project's own policies. TF-Agents' default is 0.35.
        normalise_observations: True if the agent normalises observations.
        normalise_rewards: True if the agent divides rewards by their standard deviation.
        beyond_time_limit: True if time limits bootstrap, which they do not in TF-Agents by
            default; see `tf_agents_trajectories`.
    """

    learning_rate: float = 1.5e-3
    adam_epsilon: float = 1e-7
    num_epochs: int = 10
    minibatch_size: int = 16
    clip: float = 0.2
    discount: float = 0.99
    gae_lambda: float = 0.95
    gradient_clipping: float = 0.0
    initial_std: float | None = None
    normalise_observations: bool = True
    normalise_rewards: bool = True
    beyond_time_limit: bool = True


# Tuned on random Reachers and Hoppers of the validation range (numbers: docs/opponents.md), except
# the initial standard deviation. It costs return before anything is learned, so all methods but SAC
# share it. The setting that learns most in 64 updates falls back in 512, so there are two.
_TUNED_SHORT = TFAgentsPPO()
_TUNED_LONG = TFAgentsPPO(learning_rate=1e-3, minibatch_size=32, gradient_clipping=0.5)
_LONGEST_SHORT = 64  # updates


def tuned(num_updates: int) -> TFAgentsPPO:
    """Returns the settings that were tuned for lifetimes of about this many updates."""
    return _TUNED_SHORT if num_updates <= _LONGEST_SHORT else _TUNED_LONG


class SwappedAgent:
    """A `PPOClipAgent` that many agents use, one after the other.

    Attributes:
        agent: The `PPOClipAgent`, with the variables of the agent that was swapped in last.
    """

    def __init__(
        self,
        configuration: TFAgentsPPO,
        hidden_sizes: Sequence[int],
        observation_size: int,
        action_size: int,
        num_actions: int | None,
        time_limit: int,
    ):
        """Makes the `PPOClipAgent`; the first update compiles it.

        Args:
            configuration: The settings of PPO.
            hidden_sizes: Units of the hidden layers of actor and value network.
            observation_size: S.
            action_size: A, if actions are a box.
            num_actions: The size of a finite action space; None for a box.
            time_limit: Steps after which an episode is cut.
        """
        self._configuration = configuration
        self._time_limit = time_limit
        observation = tensor_spec.TensorSpec((observation_size,), tf.float32, "observation")
        action = (
            tensor_spec.BoundedTensorSpec((action_size,), tf.float32, -1.0, 1.0, "action")
            if num_actions is None
            else tensor_spec.BoundedTensorSpec((), tf.int64, 0, num_actions - 1, "action")
        )
        self._actor, self._value = _make_networks(configuration, hidden_sizes, observation, action)
        self._optimizer = tf.keras.optimizers.Adam(
            configuration.learning_rate, epsilon=configuration.adam_epsilon, jit_compile=False
        )
        self.agent = ppo_clip_agent.PPOClipAgent(
            ts.time_step_spec(observation),
            action,
            self._optimizer,
            self._actor,
            self._value,
            importance_ratio_clipping=configuration.clip,
            lambda_value=configuration.gae_lambda,
            discount_factor=configuration.discount,
            gradient_clipping=configuration.gradient_clipping,
            normalize_observations=configuration.normalise_observations,
            normalize_rewards=configuration.normalise_rewards,
            use_gae=True,
            use_td_lambda_return=True,
            # TF-Agents asks for these three if an update is more than one gradient step.
            num_epochs=1,
            compute_value_and_advantage_in_train=False,
            update_normalizers_in_train=False,
            train_step_counter=tf.Variable(0, dtype=tf.int64),
        )
        self._optimizer.build(self._actor.trainable_weights + self._value.trainable_weights)
        self._swapped = SwappedVariables(
            [
                variable
                for variable in (*self.agent.variables, *self._optimizer.variables)
                if variable.dtype == tf.float32 and variable is not self._optimizer.learning_rate
            ]
        )
        self._untrained = self._swapped.gather().numpy()

    def draw(self, generator: np.random.Generator) -> np.ndarray:
        """Draws an untrained agent [D] with TF-Agents' initialisers, seeded by `generator`."""
        agent = self._untrained.copy()
        self._swapped.draw_kernels(agent, (self._actor, self._value), generator)
        return agent

    def actor_weights(self, agents: np.ndarray) -> list[np.ndarray]:
        """Returns the actor's variables of agents [W, D], [W, ...] each, in the network's order."""
        return self._swapped.values(agents, self._actor.variables)

    def observation_moments(self, agents: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Returns mean and variance [W, S] that agents [W, D] normalise by; None if they do not."""
        normaliser = self.agent.collect_policy.observation_normalizer
        if normaliser is None:
            return None
        count, mean, squares, _ = self._swapped.values(agents, normaliser.variables)
        return mean, squares / count

    def update(
        self,
        agent: np.ndarray,
        num_updates: int,
        experience: Experience,
        worker: int,
        generator: np.random.Generator,
    ) -> np.ndarray:
        """Trains an agent on its M newest steps, in minibatches.

        TF-Agents' `PPOLearner` has the same minibatches: the passes, each shuffled, form one stream
        that is cut into equal parts. The remainder is dropped.

        Args:
            agent: The agent that acted, [D].
            num_updates: The number of its earlier updates.
            experience: M steps of all agents.
            worker: The index of this agent.
            generator: The generator that shuffles the steps.

        Returns:
            The trained agent, [D].
        """
        num_steps, num_epochs = experience.length, self._configuration.num_epochs
        stream = np.concatenate([generator.permutation(num_steps) for _ in range(num_epochs)])
        size = min(self._configuration.minibatch_size, num_steps)
        minibatches = stream[: len(stream) // size * size].reshape(-1, size)
        time_limit = self._time_limit if self._configuration.beyond_time_limit else None
        return self._update(
            agent,
            np.int64(num_updates * len(minibatches)),
            trajectories(experience, worker, time_limit),
            minibatches,
        ).numpy()

    def preprocess(self, lived: Trajectories) -> trajectory.Trajectory:
        """Returns the steps [M, ...] with advantages and returns."""
        rows = tf.nest.map_structure(tf.convert_to_tensor, lived.rows)
        time_step = ts.TimeStep(rows.step_type, rows.reward, rows.discount, rows.observation)
        # The collect policy would have recorded this while it acted.
        info = self.agent.collect_policy.distribution(time_step).info
        rows = self.agent.preprocess_sequence(rows.replace(policy_info=info))
        return tf.nest.map_structure(lambda tensor: tf.gather_nd(tensor, lived.places), rows)

    @tf.function(jit_compile=True, autograph=False)
    def _update(self, vector, gradient_steps, lived, minibatches):
        self._swapped.scatter(vector)
        self._optimizer.iterations.assign(gradient_steps)
        steps = self.preprocess(lived)

        def train(minibatch):
            # [B, 1, ...]: TF-Agents takes a minibatch as B trajectories of one step.
            chosen = tf.nest.map_structure(lambda t: tf.gather(t, minibatch)[:, tf.newaxis], steps)
            return self.agent.train(chosen).loss

        tf.map_fn(train, minibatches, fn_output_signature=tf.float32)
        self.agent.update_observation_normalizer(steps.observation[tf.newaxis])
        self.agent.update_reward_normalizer(steps.reward[tf.newaxis])
        return self._swapped.gather()


def _make_networks(configuration, hidden_sizes, observation, action):
    """Makes TF-Agents' actor and value networks, with hidden layers of our agents' sizes."""
    layers = {"fc_layer_params": tuple(hidden_sizes), "activation_fn": tf.tanh}

    def projection(spec):
        return normal_projection_network.NormalProjectionNetwork(
            spec,
            std_bias_initializer_value=np.log(np.expm1(configuration.initial_std)),
        )

    with warnings.catch_warnings():
        # TF-Agents converts one-element arrays to numbers, which NumPy deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        actor = actor_distribution_network.ActorDistributionNetwork(
            observation, action, continuous_projection_net=projection, **layers
        )
    return actor, value_network.ValueNetwork(observation, **layers)
