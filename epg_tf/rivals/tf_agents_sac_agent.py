"""One `SacAgent` of TF-Agents that trains any number of agents, one after the other.

What makes an agent an individual is swapped (`swapped_variables`) before it learns, and read back
after it; the gradient steps between are one compiled call.
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

_DRAWS = 3  # of actions per gradient step: for the critics' targets, the actor and the temperature


@dataclasses.dataclass(frozen=True)
class TFAgentsSAC:
    """How SAC is set up. The names are those of TF-Agents' agent and examples.

    The defaults were tuned on random Reachers and Hoppers of the validation range, for some two to
    sixteen thousand steps (numbers: docs/opponents.md).

    Attributes:
        actor_fc_layers: Units of the actor's hidden layers.
        critic_joint_fc_layers: Units of both critics' hidden layers.
        actor_learning_rate: Adam's step size for the actor.
        critic_learning_rate: Adam's step size for the critics.
        alpha_learning_rate: Adam's step size for the logarithm of the temperature.
        initial_log_alpha: Where that starts.
        target_entropy: Where the temperature is to bring the policy's entropy, in nats and per
            number of the action (the agent's `target_entropy` is of all of them).
        target_update_tau: How far the target critics go towards the critics at each gradient step.
        gamma: The discount per step.
        reward_scale_factor: What rewards are multiplied by.
        batch_size: Steps per gradient step.
        initial_collect_steps: Steps in which actions are uniform and nothing is learned.
        collect_steps_per_iteration: Steps between which the policy stays the same.
        train_steps_per_iteration: Gradient steps after these.
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
    """A `SacAgent` whose variables are swapped.

    Attributes:
        agent: The `SacAgent`; its variables are those of whoever was swapped in last.
    """

    def __init__(self, configuration: TFAgentsSAC, observation_size: int, action_size: int):
        """Makes the agent; it is compiled when it first learns.

        Args:
            configuration: How it is set up.
            observation_size: S.
            action_size: A.
        """
        observation = tensor_spec.TensorSpec((observation_size,), tf.float32, "observation")
        action = tensor_spec.BoundedTensorSpec((action_size,), tf.float32, -1.0, 1.0, "action")
        self._actor, *self._critics = _make_networks(configuration, observation, action)
        # `SacAgent` would turn newer optimisers into copies of this kind.
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
            # Makes its moments, and changes nothing.
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
        """A fresh agent [D]: TF-Agents' own initialisers, seeded by the agent's own generator."""
        agent = self._untrained.copy()
        self._swapped.draw_kernels(agent, (self._actor, *self._critics), generator)
        views = self._swapped.views(agent)
        for critic, target in zip(self._critics, self.agent.target_critics, strict=True):
            for variable, follower in zip(critic.variables, target.variables, strict=True):
                views[follower.ref()][...] = views[variable.ref()]
        return agent

    def actor_weights(self, agents: np.ndarray) -> list[np.ndarray]:
        """The actor networks' variables of agents [W, D], [W, ...] each, in the network's order."""
        return self._swapped.values(agents, self._actor.variables)

    def swap_in(self, agent: np.ndarray) -> None:
        """Gives `agent` the variables of an agent [D]."""
        self._swapped.scatter(tf.constant(agent))

    def train(
        self,
        agent: np.ndarray,
        num_train_steps: int,
        batches: trajectory.Transition,
        generator: np.random.Generator,
    ) -> np.ndarray:
        """Makes G gradient steps.

        Args:
            agent: The agent as it acted, [D].
            num_train_steps: How many gradient steps it has made before.
            batches: Arrays [G, B, ...].
            generator: For the actions that the agent imagines.

        Returns:
            The agent as it is then, [D].
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
    """A `SacAgent` that draws actions by seeds that it is given, instead of TensorFlow's state.

    Compiled code has a state of its own, which would make an agent depend on its neighbours.
    """

    _seeds: Iterator[tf.Tensor] = iter(())

    @property
    def target_critics(self):
        """The two target networks."""
        return self._target_critic_network_1, self._target_critic_network_2

    @property
    def trained_variables(self):
        """What each of the three optimisers trains, actor first."""
        critics = self._critic_network_1, self._critic_network_2
        return (
            self._actor_network.trainable_variables,
            [variable for critic in critics for variable in critic.trainable_variables],
            [self._log_alpha],
        )

    def train_with(self, transition: trajectory.Transition, seeds: Iterator[tf.Tensor]):
        """One gradient step, with seeds for the three draws of actions."""
        self._seeds = seeds
        return self.train(transition)

    def _actions_and_log_probs(self, time_steps, training=False):
        policy = self._train_policy if training else self._policy
        distribution = policy.distribution(time_steps, policy_state=()).action
        actions = distribution.sample(seed=next(self._seeds))
        return actions, common.log_probability(distribution, actions, self.action_spec)


def _make_networks(configuration: TFAgentsSAC, observation, action):
    """TF-Agents' actor and two critics, with kernels drawn as in its SAC examples."""

    def critic():
        return critic_network.CriticNetwork(
            (observation, action),
            joint_fc_layer_params=configuration.critic_joint_fc_layers,
            kernel_initializer="glorot_uniform",
            last_kernel_initializer="glorot_uniform",
        )

    with warnings.catch_warnings():
        # TF-Agents turns an array of one number of actions into a number.
        warnings.simplefilter("ignore", DeprecationWarning)
        actor = actor_distribution_network.ActorDistributionNetwork(
            observation,
            action,
            fc_layer_params=configuration.actor_fc_layers,
            continuous_projection_net=tanh_normal_projection_network.TanhNormalProjectionNetwork,
        )
    return actor, critic(), critic()
