"""The off-the-shelf baseline: TF-Agents' own PPO (`PPOClipAgent`) on the project's tasks.

Networks, loss, optimiser and normalisers are TF-Agents'. The project's environment and driver
collect the steps, so tasks, resets and the number of steps equal those of other methods. TF-Agents'
drivers would be 60 times as slow, at a millisecond per step of one agent. So W agents act at once
in NumPy, then learn one after the other through one compiled agent (`tf_agents_ppo_agent`).

TF-Agents' `PPOLearner` also calls `PPOClipAgent.train` per minibatch. Our data differs from its
data: it has no boundary steps, and time limits bootstrap (`tf_agents_trajectories` says why). The
normalisers are updated after learning, as `PPOClipAgent.train` does by default. So acting and
learning see the same observations.

TF-Agents causes these differences from the project's own PPO:
* At a time limit or the newest step, the bootstrap is the value before that step, not after it.
* Advantages are standardised per minibatch, and rewards are divided by their standard deviation.
* The mean of a Gaussian policy always goes through tanh; ours does if `InnerLoop.mean_activation`
  is "tanh". The standard deviation is the softplus of a parameter.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts

from epg_tf.agent.acting import ActingPolicy
from epg_tf.agent.experience import Experience
from epg_tf.inner_loop.collection import make_driver
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.rivals.tf_agents_ppo_agent import SwappedAgent, TFAgentsPPO, tuned
from epg_tf.seeds import LifetimeSeed, Stream
from epg_tf.tasks.family import TaskFamily

# Defaults of TF-Agents' normaliser, which its agents do not override.
_VARIANCE_EPSILON = np.float32(1e-3)
_CLIP = 5.0


# Cached because compiling takes longer than training a few agents.
swapped_agent = functools.lru_cache(maxsize=4)(SwappedAgent)


def rollouts(
    settings: InnerLoop,
    family: TaskFamily,
    seeds: Sequence[LifetimeSeed],
    num_threads: int = 0,
    configuration: TFAgentsPPO | None = None,
) -> Iterator[Experience]:
    """Trains one agent per seed, for as long as the caller iterates.

    The steps of an agent depend only on its seed, not on its neighbours or on W.

    Args:
        settings: The inner loop's settings, for M, the sizes of hidden layers and the initial
            standard deviation of Gaussian policies. K is the number of updates for which PPO is
            tuned.
        family: The distribution of tasks.
        seeds: One per agent, W of them; a seed fixes task, resets and action noise for every
            method.
        num_threads: Threads of the simulator; 0 for the caller's alone.
        configuration: The settings of PPO; None for those tuned for K.

    Yields:
        The next M steps of all agents, which have then learned from them.
    """
    configuration = configuration or tuned(settings.num_updates)
    if configuration.initial_std is None:
        std = math.exp(settings.initial_log_std)
        configuration = dataclasses.replace(configuration, initial_std=std)
    swapped = swapped_agent(
        configuration,
        tuple(settings.hidden_sizes),
        family.observation_size,
        family.action_size,
        family.num_actions,
        family.time_limit,
    )
    agents = np.stack([swapped.draw(seed.generator(Stream.AGENT)) for seed in seeds])
    minibatches = [seed.generator(Stream.MINIBATCHES) for seed in seeds]
    steps = settings.steps_per_update
    driver = make_driver(family, seeds, TFAgentsActingPolicy, steps, num_threads)
    for k in itertools.count():
        moments = swapped.observation_moments(agents)
        driver.policy.load(
            swapped.actor_weights(agents),
            RawObservations() if moments is None else ObservationMoments(*moments),
        )
        experience = driver.run()
        for worker, generator in enumerate(minibatches):
            agents[worker] = swapped.update(agents[worker], k, experience, worker, generator)
        yield experience


@dataclasses.dataclass(frozen=True)
class ObservationMoments:
    """The moments by which W agents normalise observations.

    Attributes:
        mean: [W, S].
        variance: [W, S].
    """

    mean: np.ndarray
    variance: np.ndarray

    def normalise(self, samples: np.ndarray) -> np.ndarray:
        """Maps samples [W, T, S] as TF-Agents' `StreamingTensorNormalizer` does, float32."""
        scale = 1.0 / np.sqrt(self.variance + _VARIANCE_EPSILON)
        normalised = (samples - self.mean[:, np.newaxis]) * scale[:, np.newaxis]
        return np.clip(normalised, -_CLIP, _CLIP)


class RawObservations:
    """Replaces `ObservationMoments` for agents that do not normalise observations."""

    def normalise(self, samples: np.ndarray) -> np.ndarray:
        """Returns the samples unchanged."""
        return samples


class TFAgentsActingPolicy(ActingPolicy):
    """Acts as the collect policies of W `PPOClipAgent`s would, in NumPy."""

    def __init__(
        self,
        time_step_spec: ts.TimeStep,
        action_spec: array_spec.BoundedArraySpec,
        generators: Sequence[np.random.Generator],
    ):
        """Makes a policy without weights; see `ActingPolicy`."""
        # `NormalProjectionNetwork` squashes the mean to the range of actions, which is [-1, 1].
        super().__init__(time_step_spec, action_spec, generators, mean_activation="tanh")

    def load(
        self, weights: Sequence[np.ndarray], statistics: ObservationMoments | RawObservations
    ) -> None:
        """Sets the weights of the actor networks and the moments of observations.

        Args:
            weights: The weights of `ActorDistributionNetwork`s, [W, ...] each: kernels and biases;
                for a box of actions also the parameter before the standard deviation's softplus.
            statistics: `ObservationMoments` or `RawObservations`.
        """
        if not self._discrete:
            *weights, before_softplus = weights
            weights = [*weights, np.log(np.logaddexp(0.0, before_softplus))]
        # Biases [W, units] are added to arrays [W, T, units].
        weights = [w if w.ndim == 3 else w[:, np.newaxis] for w in weights]
        super().load([np.ascontiguousarray(w, np.float32) for w in weights], statistics)  # pyright: ignore[reportArgumentType]
