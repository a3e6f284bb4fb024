"""The off-the-shelf baseline: TF-Agents' own PPO (`PPOClipAgent`) on the project's tasks.

Networks, loss, optimiser and normalisers are TF-Agents'; the steps come from the project's
environment and driver, so that this PPO meets the same tasks, resets and number of steps as the
other methods. TF-Agents' drivers take about a millisecond per step of one agent, an hour where the
others take a minute, so W agents act at once in NumPy and learn one after the other through one
compiled agent (`tf_agents_ppo_agent`).

What an agent learns from is prepared as for TF-Agents' `PPOLearner`, which also calls
`PPOClipAgent.train` minibatch by minibatch; but boundary steps are left out, what lies beyond a
time limit counts (`tf_agents_trajectories` says why), and the normalisers take in the steps after
the agent has learned from them, as `PPOClipAgent.train` does by default, so that acting and
learning see the same observations.

What differs from the project's own PPO is TF-Agents' doing: beyond a time limit and the newest step
an agent expects what it expected before them, not after; advantages are standardised minibatch by
minibatch; rewards are divided by their standard deviation; the mean of a Gaussian policy always
goes through tanh (ours where `InnerLoop.mean_activation` says so), and its standard deviation is
the softplus of a parameter.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence

import numpy as np
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts

from epg_tf.agent.acting import ActingPolicy
from epg_tf.inner_loop.collection import make_driver
from epg_tf.inner_loop.episodes import EpisodeReturns
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.rivals.tf_agents_ppo_agent import SwappedAgent, TFAgentsPPO, tuned
from epg_tf.seeds import LifetimeSeed, Stream
from epg_tf.tasks.family import TaskFamily

# What TF-Agents' normaliser does unless told otherwise, and its agents do not tell it.
_VARIANCE_EPSILON = np.float32(1e-3)
_CLIP = 5.0


# Compiling takes longer than the lives of a few agents.
swapped_agent = functools.lru_cache(maxsize=4)(SwappedAgent)


def learn(
    settings: InnerLoop,
    family: TaskFamily,
    seeds: Sequence[LifetimeSeed],
    num_threads: int = 0,
    on_update: Callable[[int], object] | None = None,
    configuration: TFAgentsPPO | None = None,
) -> EpisodeReturns:
    """Trains one agent per seed for K updates of M steps.

    What comes out for an agent depends on its own seed alone, not on its neighbours nor on W.

    Args:
        settings: For K, M, the sizes of the networks' hidden layers, and the standard deviation
            that Gaussian policies start with.
        family: Where tasks come from.
        seeds: One per agent, W of them; task, resets and action noise are those of every lifetime
            with that seed.
        num_threads: Simulator threads; 0 for none but the caller's.
        on_update: Called with k after each update.
        configuration: How the agents are set up; None for what was tuned for such a K.

    Returns:
        The returns of all episodes.
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
    episodes = EpisodeReturns(len(seeds))
    for k in range(1, settings.num_updates + 1):
        moments = swapped.observation_moments(agents)
        driver.policy.load(
            swapped.actor_weights(agents),
            RawObservations() if moments is None else ObservationMoments(*moments),
        )
        experience = driver.run()
        episodes.add(experience)
        for worker, generator in enumerate(minibatches):
            agents[worker] = swapped.update(agents[worker], k - 1, experience, worker, generator)
        if on_update is not None:
            on_update(k)
    return episodes


@dataclasses.dataclass(frozen=True)
class ObservationMoments:
    """By what W agents normalise observations.

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
    """For agents that do not normalise observations."""

    def normalise(self, samples: np.ndarray) -> np.ndarray:
        """The samples."""
        return samples


class TFAgentsActingPolicy(ActingPolicy):
    """Acts as the collect policies of W `PPOClipAgent`s would, in NumPy."""

    def __init__(
        self,
        time_step_spec: ts.TimeStep,
        action_spec: array_spec.BoundedArraySpec,
        generators: Sequence[np.random.Generator],
    ):
        """Makes a policy that has yet to be given weights; see `ActingPolicy`."""
        # `NormalProjectionNetwork` squashes the mean to the range of the actions, which is [-1, 1].
        super().__init__(time_step_spec, action_spec, generators, mean_activation="tanh")

    def load(
        self, weights: Sequence[np.ndarray], statistics: ObservationMoments | RawObservations
    ) -> None:
        """Takes over actor networks, and what observations are normalised by.

        Args:
            weights: Those of `ActorDistributionNetwork`s, [W, ...] each: kernels and biases, and
                for a box of actions what the standard deviation is the softplus of.
            statistics: `ObservationMoments` or `RawObservations`.
        """
        if not self._discrete:
            *weights, before_softplus = weights
            weights = [*weights, np.log(np.logaddexp(0.0, before_softplus))]
        # A bias [W, units] meets [W, T, units].
        weights = [w if w.ndim == 3 else w[:, np.newaxis] for w in weights]
        super().load([np.ascontiguousarray(w, np.float32) for w in weights], statistics)  # pyright: ignore[reportArgumentType]
