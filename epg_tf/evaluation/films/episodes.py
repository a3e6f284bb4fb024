"""Agents before, during and after learning, and the episodes that they play for films.

All stages play from the same initial states with the same action noise, so they differ only in what
the agents have learned. A film runs in real time and holds the end of each episode for a moment.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from epg_tf.agent.acting import ActingPolicy
from epg_tf.agent.agents import AgentState
from epg_tf.agent.normaliser import RunningStatistics
from epg_tf.inner_loop.batch import Statistics
from epg_tf.inner_loop.collection import make_driver
from epg_tf.inner_loop.lifetime import Update, Workers
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.seeds import LifetimeSeed, Stream
from epg_tf.tasks.family import TaskFamily

_SECONDS_PER_SHOT = 0.04
_HOLD_SECONDS = 0.4


class Stage(NamedTuple):
    """W agents at one point of their lifetimes.

    Attributes:
        name: "before", "during" or "after" learning.
        num_updates: The number of updates that the agents had made.
        weights: The weights of their policies, [W, ...] each.
        statistics: The statistics that normalise their observations.
        mean_activation: The activation of Gaussian policies' means: None or "tanh".
    """

    name: str
    num_updates: int
    weights: list[np.ndarray]
    statistics: RunningStatistics
    mean_activation: str | None = None


class Episode(NamedTuple):
    """An episode of T steps of one worker.

    Attributes:
        states: The full physics states, from the initial to the last one, [T + 1, ...].
        returns: The return up to each state, [T + 1].
        has_ended: True if the episode ended, False if the film ended first.
    """

    states: np.ndarray
    returns: np.ndarray
    has_ended: bool


class Shot(NamedTuple):
    """The content of one picture of one worker.

    Attributes:
        state: The full physics state.
        episode: The episode's number, from 1.
        return_so_far: The return of this episode so far.
        is_final: True if the episode is over.
    """

    state: np.ndarray
    episode: int
    return_so_far: float
    is_final: bool


class Pace(NamedTuple):
    """The timing of a film.

    Attributes:
        steps_per_shot: The environment steps from one picture to the next.
        seconds_per_shot: The simulated time of these steps.
        num_shots: The number of pictures in the film.
        hold: The number of extra pictures that show the end of an episode.
    """

    steps_per_shot: int
    seconds_per_shot: float
    num_shots: int
    hold: int

    @classmethod
    def real_time(cls, seconds: float, seconds_per_step: float) -> Pace:
        """Returns a pace of about 25 pictures a second, or of one per step if steps are longer."""
        steps = max(1, round(_SECONDS_PER_SHOT / seconds_per_step))
        per_shot = steps * seconds_per_step
        return cls(
            steps, per_shot, max(1, round(seconds / per_shot)), round(_HOLD_SECONDS / per_shot)
        )


def stage_names(num_updates: int) -> dict[int, str]:
    """Returns the stages by the number of updates before them; a single update has no middle."""
    return {num_updates // 2: "during", 0: "before", num_updates: "after"}


def live_and_keep_stages(
    workers: Workers,
    settings: InnerLoop,
    phi: np.ndarray,
    seeds: Sequence[LifetimeSeed],
    guidance: float,
    on_update: Callable[[Update], object],
) -> list[Stage]:
    """Runs a lifetime per worker, and keeps the agents of its beginning, middle and end.

    Args:
        workers: W workers.
        settings: The settings of the workers.
        phi: The loss of all workers, [P].
        seeds: One per worker.
        guidance: alpha in Eq. 6.
        on_update: Called before each update.

    Returns:
        The stages in order.
    """
    names, stages = stage_names(settings.num_updates), []

    def keep(num_updates: int, agents: AgentState, statistics: Statistics) -> None:
        if num_updates in names:
            stages.append(
                Stage(
                    names[num_updates],
                    num_updates,
                    workers.agents.policy_weights(agents),
                    statistics["observation"],
                    settings.mean_activation,
                )
            )

    def watch(update: Update) -> None:
        keep(update.k - 1, update.agents, update.statistics)
        on_update(update)

    lifetimes = workers.live(np.tile(phi, (workers.num_workers, 1)), seeds, guidance, watch)
    keep(settings.num_updates, lifetimes.agents, lifetimes.statistics)
    return stages


def play(
    family: TaskFamily, seeds: Sequence[LifetimeSeed], stage: Stage, num_steps: int
) -> list[list[Episode]]:
    """Runs the agents of a stage without learning.

    Args:
        family: The distribution of tasks.
        seeds: One per worker; the same seeds give the same initial states and action noise.
        stage: The agents.
        num_steps: The number of steps.

    Returns:
        Each worker's episodes in order; `num_steps` may cut off the last.
    """
    driver = make_driver(
        family,
        seeds,
        functools.partial(ActingPolicy, mean_activation=stage.mean_activation),
        num_steps,
        resets=Stream.FRESH_EPISODES,
    )
    driver.policy.load(stage.weights, stage.statistics)
    driver.run()
    rollout = driver.rollout
    return [
        _episodes(rollout.before[w], rollout.after[w], rollout.reward[w], rollout.ended[w])
        for w in range(len(seeds))
    ]


def shots(episodes: Sequence[Episode], pace: Pace) -> list[Shot]:
    """Returns the shots of a worker that played these episodes, one per picture of the film."""
    return list(itertools.islice(_all_shots(episodes, pace), pace.num_shots))


def returns_of(episodes: Sequence[Episode]) -> list[float]:
    """Returns the returns of a worker's ended episodes, or of the first if none has ended."""
    ended = [float(episode.returns[-1]) for episode in episodes if episode.has_ended]
    return ended or [float(episodes[0].returns[-1])]


def _episodes(
    before: np.ndarray, after: np.ndarray, rewards: np.ndarray, ends: np.ndarray
) -> list[Episode]:
    """Cuts a worker's steps, [T, ...] each, into episodes."""
    episodes, begin = [], 0
    for end in [*(np.flatnonzero(ends) + 1), len(ends)]:
        if end > begin:
            episodes.append(
                Episode(
                    np.concatenate([before[begin : begin + 1], after[begin:end]]),
                    np.concatenate([[0.0], np.cumsum(rewards[begin:end])]),
                    bool(ends[end - 1]),
                )
            )
        begin = int(end)
    return episodes


def _all_shots(episodes: Sequence[Episode], pace: Pace) -> Iterator[Shot]:
    for number, episode in enumerate(episodes, start=1):
        last = len(episode.states) - 1
        for t in range(0, last, pace.steps_per_shot):
            yield Shot(episode.states[t], number, float(episode.returns[t]), False)
        if episode.has_ended:
            final = Shot(episode.states[last], number, float(episode.returns[last]), True)
            yield from itertools.repeat(final, 1 + pace.hold)
