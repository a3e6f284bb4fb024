"""One `SacAgent` of TF-Agents that trains any number of agents, one after the other.

An agent's variables are swapped in before it learns and read back afterwards
(`swapped_variables`). The gradient steps in between are one compiled call.
"""

# Pyright's TensorFlow stubs know no static shapes, and TF-Agents types every field as any nest.
# pyright: reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from tf_agents.agents.ddpg import critic_network
from tf_agents.agents.sac import sac_agent, tanh_normal_projection_network
from tf_agents.networks import actor_distribution_network
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory
from tf_agents.utils import common

from epg_tf.rivals.swapped_variables import SwappedVariables

_DRAWS = 3  # of actions per gradient step: for critic targets, actor and temperature


@dataclasses.dataclass(frozen=True)
class TFAgentsSAC:
    """The settings of TF-Agents' SAC, under the names in its agent and examples.

    The defaults were tuned on random Reachers and Hoppers of the validation range, for some two to
    sixteen thousand steps (numbers: docs/opponents.md).

    Attributes:
        actor_fc_layers: Units of the actor's hidden layers.
        critic_joint_fc_layers: Units of both critics' hidden layers.
        actor_learning_rate: Adam's step size for the actor.
        critic_learning_rate: Adam's step size for the critics.
        alpha_learning_rate: Adam's step size for the logarithm of the temperature.
        initial_log_alpha: The initial logarithm of the temperature.
        target_entropy: The entropy that the temperature aims at, in nats per component of the
            action; the agent's `target_entropy` is the sum over components.
        target_update_tau: The step size of the target critics' moving average.
        gamma: The discount per step.
        reward_scale_factor: The factor that rewards are multiplied by.
        batch_size: Steps per gradient step.
        initial_collect_steps: First steps, with uniform actions and without learning.
        collect_steps_per_iteration: Steps that are taken with the same policy.
        train_steps_per_iteration: Gradient steps after `collect_steps_per_iteration` steps.
    """

    actor_fc_layers: tuple[int, ...] = (64, 64)
    critic_joint_fc_layers: tuple[int, ...] = (64, 64)
    actor_learning_rate: float = 1e-3
    critic_learning_rate: float = 1e-3
    alpha_learning_rate: float = 1e-3
    initial_log_alpha: float = -2.3
    target_entropy: float = -1.0
    target_update_tau: float = 0.01
    gamma: float = 0.99
    reward_scale_factor: float = 1.0
    batch_size: int = 64
    initial_collect_steps: int = 256
    collect_steps_per_iteration: int = 32
    train_steps_per_iteration: int = 32


class SwappedSAC:
    """A `SacAgent` that many agents use, one after the other.

    Attributes:
        agent: The `SacAgent`, with the variables of the agent that was swapped in last.
    """

    def __init__(self, configuration: TFAgentsSAC, observation_size: int, action_size: int):
        """Makes the `SacAgent`; the first gradient step compiles it.

        Args:
            configuration: The settings of SAC.
            observation_size: S.
            action_size: A.
        """
        observation = tensor_spec.TensorSpec((observation_size,), tf.float32, "observation")
        action = tensor_spec.BoundedTensorSpec((action_size,), tf.float32, -1.0, 1.0, "action")
        self._actor, *self._critics = _make_networks(configuration, observation, action)
        # `SacAgent` would replace newer optimisers by copies of this kind.
        self._optimizers = [
            tf.keras.optimizers.legacy.Adam(rate)
            for rate in (
                configuration.actor_learning_rate,
                configuration.critic_learning_rate,
                configuration.alpha_learning_rate,
            )
        ]
        self.agent = _SeededSacAgent(
            ts.time_step_spec(observation),
            action,
            self._critics[0],
            self._actor,
            *self._optimizers,
            critic_network_2=self._critics[1],
            target_update_tau=configuration.target_update_tau,
            gamma=configuration.gamma,
            reward_scale_factor=configuration.reward_scale_factor,
            initial_log_alpha=configuration.initial_log_alpha,
            target_entropy=configuration.target_entropy * action_size,
            train_step_counter=tf.Variable(0, dtype=tf.int64),
        )
        for optimizer, variables in zip(
            self._optimizers, self.agent.trained_variables, strict=True
        ):
            # Creates the moments; zero gradients change nothing.
            optimizer.apply_gradients(
                [(tf.zeros_like(variable), variable) for variable in variables]
            )
        moments = [moment for optimizer in self._optimizers for moment in optimizer.variables()]
        self._swapped = SwappedVariables(
            [
                variable
                for variable in (*self.agent.variables, *moments)
                if variable.dtype == tf.float32
            ]
        )
        self._untrained = self._swapped.gather().numpy()

    def draw(self, generator: np.random.Generator) -> np.ndarray:
        """Draws an untrained agent [D] with TF-Agents' initialisers, seeded by `generator`."""
        agent = self._untrained.copy()
        self._swapped.draw_kernels(agent, (self._actor, *self._critics), generator)
        views = self._swapped.views(agent)
        for critic, target in zip(self._critics, self.agent.target_critics, strict=True):
            for variable, follower in zip(critic.variables, target.variables, strict=True):
                views[follower.ref()][...] = views[variable.ref()]
        return agent

    def actor_weights(self, agents: np.ndarray) -> list[np.ndarray]:
        """Returns the actor's variables of agents [W, D], [W, ...] each, in the network's order."""
        return self._swapped.values(agents, self._actor.variables)

    def train(
        self,
        agent: np.ndarray,
        num_train_steps: int,
        batches: trajectory.Transition,
        generator: np.random.Generator,
    ) -> np.ndarray:
        """Makes G gradient steps.

        Args:
            agent: The agent that acted, [D].
            num_train_steps: The number of its earlier gradient steps.
            batches: Arrays [G, B, ...].
            generator: The source of seeds for the actions in the losses.

        Returns:
            The trained agent, [D].
        """
        num_batches = len(batches.next_time_step.reward)
        seeds = generator.integers(2**31, size=(num_batches, _DRAWS, 2), dtype=np.int32)
        return self._train(agent, np.int64(num_train_steps), batches, seeds).numpy()

    @tf.function(jit_compile=True, autograph=False)
    def _train(self, vector, num_train_steps, batches, seeds):
        self._swapped.scatter(vector)
        for optimizer in self._optimizers:
            optimizer.iterations.assign(num_train_steps)

        def train(batch):
            transition, seed = batch
            return self.agent.train_with(transition, iter(tf.unstack(seed))).loss

        tf.map_fn(train, (batches, seeds), fn_output_signature=tf.float32)
        return self._swapped.gather()


class _SeededSacAgent(sac_agent.SacAgent):
    """A `SacAgent` that draws actions with given seeds instead of TensorFlow's random state.

    Compiled code has a separate random state, which would make agents depend on their neighbours.
    """

    _seeds: Iterator[tf.Tensor] = iter(())

    @property
    def target_critics(self):
        """The two target networks."""
        return self._target_critic_network_1, self._target_critic_network_2

    @property
    def trained_variables(self):
        """The variables of each of the three optimisers, actor first."""
        critics = self._critic_network_1, self._critic_network_2
        return (
            self._actor_network.trainable_variables,
            [variable for critic in critics for variable in critic.trainable_variables],
            [self._log_alpha],
        )

    def train_with(self, transition: trajectory.Transition, seeds: Iterator[tf.Tensor]):
        """Makes one gradient step, with seeds for the three draws of actions."""
        self._seeds = seeds
        return self.train(transition)

    def _actions_and_log_probs(self, time_steps, training=False):
        policy = self._train_policy if training else self._policy
        distribution = policy.distribution(time_steps, policy_state=()).action
        actions = distribution.sample(seed=next(self._seeds))
        return actions, common.log_probability(distribution, actions, self.action_spec)


def _make_networks(configuration: TFAgentsSAC, observation, action):
    """Makes TF-Agents' actor and two critics, with kernels drawn as in its SAC examples."""

    def critic():
        return critic_network.CriticNetwork(
            (observation, action),
            joint_fc_layer_params=configuration.critic_joint_fc_layers,
            kernel_initializer="glorot_uniform",
            last_kernel_initializer="glorot_uniform",
        )

    with warnings.catch_warnings():
        # TF-Agents converts one-element arrays to numbers, which NumPy deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        actor = actor_distribution_network.ActorDistributionNetwork(
            observation,
            action,
            fc_layer_params=configuration.actor_fc_layers,
            continuous_projection_net=tanh_normal_projection_network.TanhNormalProjectionNetwork,
        )
    return actor, critic(), critic()
