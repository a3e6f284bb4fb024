"""One `PPOClipAgent` of TF-Agents that trains any number of agents, one after the other.

What makes an agent an individual is swapped (`swapped_variables`) before it learns, and read back
after it.
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
    """How the off-the-shelf PPO is set up.

    Attributes:
        learning_rate: Adam's step size.
        adam_epsilon: Adam's epsilon.
        num_epochs: Passes over the M newest steps per update.
        minibatch_size: Steps per gradient step; all M where there are fewer.
        clip: How far the ratio of probabilities counts: the agent's `importance_ratio_clipping`.
        discount: gamma.
        gae_lambda: lambda of the generalised advantage estimate.
        gradient_clipping: The largest norm of a gradient; 0 for no limit.
        initial_std: The standard deviation that a Gaussian policy starts with; None for that of
            the project's own policies. TF-Agents' default is 0.35.
        normalise_observations: Whether the agent normalises observations.
        normalise_rewards: Whether the agent divides rewards by their standard deviation.
        beyond_time_limit: Whether the agent expects something after a time limit. TF-Agents does
            not by itself; see `tf_agents_trajectories`.
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


# Tuned on random Reachers and Hoppers of the validation range (numbers: docs/opponents.md), but for
# the first standard deviation: it costs return before anything is learned, so all share it.
# What learns most in 64 updates falls back in 512, so there are two.
_TUNED_SHORT = TFAgentsPPO()
_TUNED_LONG = TFAgentsPPO(learning_rate=1e-3, minibatch_size=32, gradient_clipping=0.5)
_LONGEST_SHORT = 64  # updates


def tuned(num_updates: int) -> TFAgentsPPO:
    """The setting that suits lifetimes of so many updates."""
    return _TUNED_SHORT if num_updates <= _LONGEST_SHORT else _TUNED_LONG


class SwappedAgent:
    """A `PPOClipAgent` whose variables are swapped.

    Attributes:
        agent: The `PPOClipAgent`; its variables are those of whoever was swapped in last.
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
        """Makes the agent; it is compiled when it first learns.

        Args:
            configuration: How it is set up.
            hidden_sizes: Units of the hidden layers of actor and value network.
            observation_size: S.
            action_size: A, where actions are a box.
            num_actions: The size of a finite action space, None for a box.
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
            # As TF-Agents wants it where an update is more than one gradient step.
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
        """A fresh agent [D]: TF-Agents' own initialisers, seeded by the agent's own generator."""
        agent = self._untrained.copy()
        self._swapped.draw_kernels(agent, (self._actor, self._value), generator)
        return agent

    def actor_weights(self, agents: np.ndarray) -> list[np.ndarray]:
        """The actor networks' variables of agents [W, D], [W, ...] each, in the network's order."""
        return self._swapped.values(agents, self._actor.variables)

    def observation_moments(self, agents: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Mean and variance [W, S] by which agents [W, D] normalise observations, if they do."""
        normaliser = self.agent.collect_policy.observation_normalizer
        if normaliser is None:
            return None
        count, mean, squares, _ = self._swapped.values(agents, normaliser.variables)
        return mean, squares / count

    def swap_in(self, agent: np.ndarray) -> None:
        """Gives `agent` the variables of an agent [D]."""
        self._swapped.scatter(tf.constant(agent))

    def update(
        self,
        agent: np.ndarray,
        num_updates: int,
        experience: Experience,
        worker: int,
        generator: np.random.Generator,
    ) -> np.ndarray:
        """Learns from an agent's M newest steps, in minibatches.

        As in TF-Agents' `PPOLearner` the passes are one stream, shuffled pass by pass, that is cut
        into minibatches; what is left over is dropped.

        Args:
            agent: The agent as it acted, [D].
            num_updates: How many updates it has made before.
            experience: M steps of all agents.
            worker: Which of them is this one.
            generator: For the order of the steps.

        Returns:
            The agent as it is then, [D].
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
        """The steps [M, ...] with what the agent learns from: advantages and returns."""
        rows = tf.nest.map_structure(tf.convert_to_tensor, lived.rows)
        time_step = ts.TimeStep(rows.step_type, rows.reward, rows.discount, rows.observation)
        # What the collect policy would have noted while it acted.
        info = self.agent.collect_policy.distribution(time_step).info
        rows = self.agent.preprocess_sequence(rows.replace(policy_info=info))
        return tf.nest.map_structure(lambda tensor: tf.gather_nd(tensor, lived.places), rows)

    @tf.function(jit_compile=True, autograph=False)
    def _update(self, vector, gradient_steps, lived, minibatches):
        self._swapped.scatter(vector)
        self._optimizer.iterations.assign(gradient_steps)
        steps = self.preprocess(lived)

        def train(minibatch):
            # [B, 1, ...]: to TF-Agents a minibatch is B trajectories of one step.
            chosen = tf.nest.map_structure(lambda t: tf.gather(t, minibatch)[:, tf.newaxis], steps)
            return self.agent.train(chosen).loss

        tf.map_fn(train, minibatches, fn_output_signature=tf.float32)
        self.agent.update_observation_normalizer(steps.observation[tf.newaxis])
        self.agent.update_reward_normalizer(steps.reward[tf.newaxis])
        return self._swapped.gather()


def _make_networks(configuration, hidden_sizes, observation, action):
    """TF-Agents' actor and value network, with layers of the sizes that our agents have."""
    layers = {"fc_layer_params": tuple(hidden_sizes), "activation_fn": tf.tanh}

    def projection(spec):
        return normal_projection_network.NormalProjectionNetwork(
            spec,
            std_bias_initializer_value=np.log(np.expm1(configuration.initial_std)),
        )

    with warnings.catch_warnings():
        # TF-Agents turns an array of one number of actions into a number.
        warnings.simplefilter("ignore", DeprecationWarning)
        actor = actor_distribution_network.ActorDistributionNetwork(
            observation, action, continuous_projection_net=projection, **layers
        )
    return actor, value_network.ValueNetwork(observation, **layers)
