"""Algorithm 1, lines 4-13: one batch of lifetimes.

W workers live side by side: each a perturbed loss, a fresh agent and a task. What comes out for a
worker depends on its own loss and seeds alone, not on its neighbours nor on W.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from epg_tf.agent.acting import ActingPolicy
from epg_tf.agent.driver import LifetimeDriver
from epg_tf.agent.episodes import OBJECTIVES, EpisodeReturns, last_episodes
from epg_tf.agent.experience import Experience
from epg_tf.checks import require_integer, require_member, require_number
from epg_tf.inner_update import Learner
from epg_tf.loss.guidance import PPO, Guide
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.tasks.environment import BatchedEnvironment
from epg_tf.tasks.family import Task, TaskFamily
from epg_tf.tasks.simulator import BatchSimulator
from epg_tf.update_batch import (
    Statistics,
    UpdateBatch,
    make_update_batch,
    refresh_statistics,
    start_statistics,
)

_REFRESHES = ("after_update", "before_update")


class Stream(enum.IntEnum):
    """What a lifetime draws random numbers for; each has a generator of its own."""

    AGENT = 0
    RESETS = 1
    ACTIONS = 2
    MINIBATCHES = 3
    FRESH_EPISODES = 4


class LifetimeSeed(NamedTuple):
    """All that is random in a lifetime.

    Attributes:
        task_seed: Which task.
        key: Which random numbers, for everything else.
    """

    task_seed: int
    key: tuple[int, ...]

    def generator(self, stream: Stream) -> np.random.Generator:
        """The generator of one stream of this lifetime."""
        return np.random.default_rng(
            np.random.SeedSequence(self.key[0], spawn_key=(*self.key[1:], int(stream)))
        )


class Update(NamedTuple):
    """What is known before update k: the agents are still those that lived through the steps.

    Attributes:
        k: From 1 to K.
        experience: The M newest steps.
        batch: What is about to be learned from.
        statistics: What acting normalised by.
        episodes: The returns so far.
    """

    k: int
    experience: Experience
    batch: UpdateBatch
    statistics: Statistics
    episodes: EpisodeReturns


class Lifetimes(NamedTuple):
    """What W lifetimes came to.

    Attributes:
        returns: R_i, what the outer loop maximises, [W]; NaN where a worker's rewards were.
        final_returns: The mean return of the last three episodes, [W].
        diverged: Whether a gradient or the return was not finite, [W].
        episodes: The returns of all episodes.
        statistics: What acting with the final policies is to normalise by.
        physics_seconds: Time spent in the simulator.
        update_seconds: Time spent in inner updates.
    """

    returns: np.ndarray
    final_returns: np.ndarray
    diverged: np.ndarray
    episodes: EpisodeReturns
    statistics: Statistics
    physics_seconds: float
    update_seconds: float


@dataclasses.dataclass(frozen=True)
class InnerLoop:
    """The settings of a lifetime.

    Attributes:
        num_updates: K.
        steps_per_update: M, environment steps before each update.
        buffer_size: N, how many of the newest steps the temporal convolutions see.
        learning_rate: delta in Eq. 4, the step size of the agents' Adam.
        num_minibatches: Gradient steps per pass over the M steps.
        num_passes: Passes over the M steps per update.
        learned_loss: The architecture of the learned loss.
        guide: The hand-made surrogate of Eq. 6.
        objective: What R_i is made of: "weighted_episodes" (footnote 1) or "last_episodes".
        num_fresh_episodes: Where positive, R_i is instead the mean return of this many episodes
            with the final policy.
        hidden_sizes: Units of the hidden layers of policy and value function.
        memory_size: Units of the memory.
        initial_log_std: Where a Gaussian policy's log standard deviation starts.
        mean_activation: What a Gaussian policy's mean goes through: None, or "tanh", which keeps it
            in the actions' box, as TF-Agents does.
        log_std_bounds: The lowest and the highest log standard deviation that a Gaussian policy can
            have; None for no bounds. Where the noise dies down a loss has nothing to tell apart by,
            and where it runs away nothing is learned any more.
        train_memory: Whether the memory is trained.
        refresh_statistics: When the normaliser takes in the newest M steps: "after_update", so
            that acting and learning see the same normalised observations, or "before_update".
        adam_epsilon: Epsilon of the agents' Adam.

    Raises:
        ValueError: If a size is not a positive integer, or sizes do not fit together.
    """

    num_updates: int = 128
    steps_per_update: int = 128
    buffer_size: int = 128
    learning_rate: float = 1e-3
    num_minibatches: int = 1
    num_passes: int = 1
    learned_loss: LearnedLoss = LearnedLoss()
    guide: Guide = PPO()
    objective: str = "weighted_episodes"
    num_fresh_episodes: int = 0
    hidden_sizes: tuple[int, ...] = (64, 64)
    memory_size: int = 32
    initial_log_std: float = 0.0
    mean_activation: str | None = None
    log_std_bounds: tuple[float, float] | None = None
    train_memory: bool = True
    refresh_statistics: str = "after_update"
    adam_epsilon: float = 1e-8

    def __post_init__(self) -> None:
        for name in (
            "num_updates",
            "steps_per_update",
            "buffer_size",
            "num_minibatches",
            "num_passes",
            "memory_size",
        ):
            require_integer(f"InnerLoop.{name}", getattr(self, name))
        for size in self.hidden_sizes:
            require_integer("InnerLoop.hidden_sizes", size)
        require_integer("InnerLoop.num_fresh_episodes", self.num_fresh_episodes, at_least=0)
        require_number("InnerLoop.learning_rate", self.learning_rate)
        require_number("InnerLoop.adam_epsilon", self.adam_epsilon)
        if not math.isfinite(self.initial_log_std):
            raise ValueError(
                f"`InnerLoop.initial_log_std` (={self.initial_log_std}) must be a finite number."
            )
        if self.log_std_bounds is not None:
            low, high = self.log_std_bounds
            if not low <= self.initial_log_std <= high:
                raise ValueError(
                    f"`InnerLoop.log_std_bounds` (={self.log_std_bounds}) must be two numbers with "
                    f"`InnerLoop.initial_log_std` (={self.initial_log_std}) between them."
                )
        require_member("InnerLoop.mean_activation", self.mean_activation, (None, "tanh"))
        require_member("InnerLoop.objective", self.objective, tuple(OBJECTIVES))
        require_member("InnerLoop.refresh_statistics", self.refresh_statistics, _REFRESHES)
        shortest = self.learned_loss.shortest_buffer
        if self.buffer_size < self.steps_per_update:
            raise ValueError(
                f"`InnerLoop.buffer_size` (={self.buffer_size}) must be at least "
                f"`InnerLoop.steps_per_update` (={self.steps_per_update})."
            )
        if self.buffer_size < shortest:
            raise ValueError(
                f"`InnerLoop.buffer_size` (={self.buffer_size}) must be at least {shortest}, which "
                f"`LearnedLoss.convolutions` (={self.learned_loss.convolutions}) need."
            )
        if self.steps_per_update % self.num_minibatches:
            raise ValueError(
                f"`InnerLoop.num_minibatches` (={self.num_minibatches}) must divide "
                f"`InnerLoop.steps_per_update` (={self.steps_per_update})."
            )

    @property
    def with_ppo(self) -> InnerLoop:
        """The same lifetime where the guide, if it is another, is PPO."""
        return self if isinstance(self.guide, PPO) else dataclasses.replace(self, guide=PPO())


class Workers:
    """W workers, which can live any number of lifetimes one after the other.

    Attributes:
        num_workers: W.
        learner: Their agents, losses and optimisers, compiled once.
    """

    def __init__(self, settings: InnerLoop, family: TaskFamily, num_workers: int):
        self._settings = settings
        self._family = family
        self.num_workers = num_workers
        self.learner = Learner(settings, family, num_workers)

    def draw_phi(self, seed: int) -> np.ndarray:
        """A fresh loss, [P] float32."""
        return self.learner.loss.draw(np.random.default_rng(seed))

    def live(
        self,
        phi: np.ndarray,
        seeds: Sequence[LifetimeSeed],
        guidance: float,
        on_update: Callable[[Update], object] | None = None,
        num_updates: int | None = None,
        lesson_taker: Callable[[Update], object] | None = None,
    ) -> Lifetimes:
        """Lives one lifetime per worker.

        Args:
            phi: The losses' parameters, [W, P].
            seeds: One per worker.
            guidance: alpha in Eq. 6.
            on_update: Called before each update; `learner` then holds the agents as they acted.
            num_updates: K, where it is not the settings'.
            lesson_taker: Called as `on_update` is, but with rewards in the batch whatever the
                guidance; the agents' value function then learns from them beside the policy, which
                it does not reach.

        Returns:
            What the lifetimes came to.
        """
        settings, num_actions = self._settings, self._family.num_actions
        tasks = [self._family.sample(seed.task_seed) for seed in seeds]  # line 5
        self.learner.reset(phi, _generators(seeds, Stream.AGENT))
        minibatches = _generators(seeds, Stream.MINIBATCHES)
        driver, newest = self._make_driver(tasks, seeds)  # line 7
        statistics = start_statistics(settings, self._family, self.num_workers)
        buffer = Experience.empty()
        episodes = EpisodeReturns(self.num_workers)
        diverged = np.zeros(self.num_workers, bool)
        update_seconds = 0.0
        num_updates = settings.num_updates if num_updates is None else num_updates
        for k in range(1, num_updates + 1):  # line 6
            driver.policy.load(self.learner.policy_weights(), statistics["observation"])
            driver.run()  # lines 8-11
            experience = newest.pop()
            episodes.add(experience)
            start = time.perf_counter()
            buffer = buffer.followed_by(experience, settings.buffer_size)
            acted = statistics
            refreshed = refresh_statistics(acted, experience, num_actions)
            if settings.refresh_statistics == "before_update":
                statistics = refreshed
            rewarded = guidance > 0.0 or lesson_taker is not None
            batch = make_update_batch(
                settings, buffer, statistics, minibatches, num_actions, rewarded
            )
            for observer in (on_update, lesson_taker):
                if observer is not None:
                    observer(Update(k, experience, batch, acted, episodes))
            logs = self.learner.update(  # line 12
                batch, guidance, train_value=lesson_taker is not None
            )
            statistics = refreshed
            diverged |= logs["diverged"]
            update_seconds += time.perf_counter() - start
        final_returns = np.array([last_episodes(r) for r in episodes.of_lifetimes()])
        if settings.num_fresh_episodes:
            driver.policy.load(self.learner.policy_weights(), statistics["observation"])
            returns = self._fresh_returns(driver.policy, tasks, seeds)
        else:
            objective = OBJECTIVES[settings.objective]
            returns = np.array([objective(r) for r in episodes.of_lifetimes()])
        return Lifetimes(  # line 13
            returns=returns,
            final_returns=final_returns,
            diverged=diverged | ~np.isfinite(returns),
            episodes=episodes,
            statistics=statistics,
            physics_seconds=driver.physics_seconds,
            update_seconds=update_seconds,
        )

    def _make_driver(
        self, tasks: Sequence[Task], seeds: Sequence[LifetimeSeed]
    ) -> tuple[LifetimeDriver, list[Experience]]:
        """A driver at the start of the workers' lives, and the list that its experience goes to."""
        newest: list[Experience] = []
        simulator = BatchSimulator(self._family, tasks, _generators(seeds, Stream.RESETS))
        environment = BatchedEnvironment(simulator)
        policy = ActingPolicy(
            environment.time_step_spec(),
            environment.action_spec(),
            _generators(seeds, Stream.ACTIONS),
            self._settings.mean_activation,
        )
        driver = LifetimeDriver(
            environment,
            policy,
            [lambda transition: newest.append(Experience.from_transition(transition))],
            self._settings.steps_per_update,
        )
        return driver, newest

    def _fresh_returns(
        self, policy: ActingPolicy, tasks: Sequence[Task], seeds: Sequence[LifetimeSeed]
    ) -> np.ndarray:
        """Mean returns of `num_fresh_episodes` new episodes with the policy as it is, [W]."""
        wanted = self._settings.num_fresh_episodes
        resets = _generators(seeds, Stream.FRESH_EPISODES)
        simulator = BatchSimulator(self._family, tasks, resets)
        environment = BatchedEnvironment(simulator)
        running = np.zeros(self.num_workers)
        completed: list[list[float]] = [[] for _ in tasks]
        while min(map(len, completed)) < wanted:
            action = policy.act(simulator.observation.astype(np.float32), policy.draw_noise(1)[0])
            step = environment.advance(action)
            running += step.reward
            for worker in np.flatnonzero(step.terminated | step.truncated):
                completed[worker].append(float(running[worker]))
                running[worker] = 0.0
        return np.array([np.mean(returns[:wanted]) for returns in completed])


def _generators(seeds: Sequence[LifetimeSeed], stream: Stream) -> list[np.random.Generator]:
    return [seed.generator(stream) for seed in seeds]
