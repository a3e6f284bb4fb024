"""TF-Agents' SAC on our tasks: the off-the-shelf choice for some ten thousand steps.

SAC (Haarnoja et al. 2018, arXiv 1812.05905) learns from every step many times; PPO learns from the
newest steps alone. Networks, losses, optimisers and temperature are TF-Agents'. The project's
environment and driver collect the steps, so tasks, resets and the number of steps equal those of
other methods. The number includes the first steps, whose actions are uniform.

W agents act at once in NumPy, for a few steps at a time. They then make their gradient steps one
after the other through one compiled agent (`tf_agents_sac_agent`). This equals one gradient step
after each step, except that the policy stays the same for those few steps.

SAC has a squashed Gaussian policy, so its first actions differ from those of other methods.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts

from epg_tf.agent.acting import ActingPolicy
from epg_tf.agent.experience import Experience
from epg_tf.inner_loop.collection import make_driver
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.rivals.tf_agents_replay import ReplayBuffer
from epg_tf.rivals.tf_agents_sac_agent import SwappedSAC, TFAgentsSAC
from epg_tf.seeds import LifetimeSeed, Stream
from epg_tf.tasks.family import TaskFamily

# Cached because compiling takes longer than training a few agents.
swapped_sac = functools.lru_cache(maxsize=4)(SwappedSAC)


def rollouts(
    settings: InnerLoop,
    family: TaskFamily,
    seeds: Sequence[LifetimeSeed],
    num_threads: int = 0,
    configuration: TFAgentsSAC | None = None,
) -> Iterator[Experience]:
    """Trains one agent per seed for K times M steps; see `tf_agents_ppo.rollouts`.

    Args:
        settings: The inner loop's settings; only K and M matter.
        family: The distribution of tasks; its actions are a box.
        seeds: One per agent, W of them; a seed fixes task and resets for every method.
        num_threads: Threads of the simulator; 0 for the caller's alone.
        configuration: The settings of SAC; None for the tuned ones.

    Yields:
        The next steps of all agents, which have then learned from them; their number divides M.
    """
    assert family.num_actions is None, family
    configuration = configuration or TFAgentsSAC()
    swapped = swapped_sac(configuration, family.observation_size, family.action_size)
    agents = np.stack([swapped.draw(seed.generator(Stream.AGENT)) for seed in seeds])
    minibatches = [seed.generator(Stream.MINIBATCHES) for seed in seeds]
    num_steps = settings.num_updates * settings.steps_per_update
    replay = ReplayBuffer(len(seeds), num_steps, family.observation_size, family.action_size)
    collect_steps = math.gcd(configuration.collect_steps_per_iteration, settings.steps_per_update)
    driver = make_driver(family, seeds, SACActingPolicy, collect_steps, num_threads)
    # Keeps the ratio of gradient steps to steps if fewer than configured fit into M.
    share = collect_steps / configuration.collect_steps_per_iteration
    train_steps = max(1, round(share * configuration.train_steps_per_iteration))
    num_train_steps = 0
    for steps in range(collect_steps, num_steps + 1, collect_steps):
        experience = driver.run()
        replay.add(experience)
        if steps >= configuration.initial_collect_steps:
            for worker, generator in enumerate(minibatches):
                batches = replay.sample(worker, train_steps, configuration.batch_size, generator)
                agents[worker] = swapped.train(agents[worker], num_train_steps, batches, generator)
            num_train_steps += train_steps
            driver.policy.load(swapped.actor_weights(agents))
        yield experience


class SACActingPolicy(ActingPolicy):
    """Acts as the collect policies of W `SacAgent`s would, in NumPy.

    Without weights it acts uniformly at random, like TF-Agents' `RandomPyPolicy`.
    """

    def __init__(
        self,
        time_step_spec: ts.TimeStep,
        action_spec: array_spec.BoundedArraySpec,
        generators: Sequence[np.random.Generator],
    ):
        """Makes a policy without weights; see `ActingPolicy`."""
        super().__init__(time_step_spec, action_spec, generators)
        self._layers = []

    def load(self, weights: Sequence[np.ndarray]) -> None:
        """Sets the weights of the actor networks.

        Args:
            weights: The kernels and biases of `ActorDistributionNetwork`s with a
                `TanhNormalProjectionNetwork`, [W, ...] each. The halves of the last layer
                give the mean and the log standard deviation, both before tanh.
        """
        # Biases [W, units] are added to arrays [W, 1, units].
        weights = [w if w.ndim == 3 else w[:, np.newaxis] for w in weights]
        weights = [np.ascontiguousarray(w, np.float32) for w in weights]
        self._layers = list(zip(weights[::2], weights[1::2], strict=True))

    def draw_noise(self, num_steps: int) -> np.ndarray:
        """Draws noise for the next steps, [W, num_steps, A]; uniform while there are no weights."""
        if self._layers:
            return super().draw_noise(num_steps)
        shape = (num_steps, *self._noise_shape)
        noise = [generator.uniform(-1.0, 1.0, shape) for generator in self.generators]
        return np.stack(noise).astype(np.float32)

    def act(self, observation: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Samples actions in (-1, 1).

        Args:
            observation: The simulator's observation, [W, S].
            noise: One step of the result of `draw_noise`, [W, A].

        Returns:
            [W, A] float32.
        """
        if not self._layers:
            return noise
        hidden = observation[:, np.newaxis].astype(np.float32)
        *layers, (kernel, bias) = self._layers
        for one, other in layers:
            hidden = np.maximum(np.matmul(hidden, one) + other, 0.0)
        outputs = (np.matmul(hidden, kernel) + bias)[:, 0]
        mean, log_std = np.split(outputs, 2, axis=1)
        return np.tanh(mean + np.exp(log_std) * noise)
