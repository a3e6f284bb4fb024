"""Trials: W agents, each on a separate task, keep their memory across episodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from epg_tf.rivals.rl2.acting import RecurrentActor
from epg_tf.seeds import LifetimeSeed, Stream
from epg_tf.tasks.family import TaskFamily
from epg_tf.tasks.simulator import Step, start


class Simulator(Protocol):
    """The methods of `BatchSimulator` that trials need."""

    observation: np.ndarray

    def step(self, action: np.ndarray) -> Step:
        """Steps every worker once; resets none."""
        ...

    def reset(self, workers: np.ndarray) -> None:
        """Starts new episodes of some workers."""
        ...


def make_simulator(
    family: TaskFamily, seeds: Sequence[LifetimeSeed], num_threads: int
) -> Simulator:
    """Makes the simulator of the seeds' tasks, with the same resets as for every other method.

    A family with a method `make_simulator(seeds)` makes the simulator itself.
    """
    own = getattr(family, "make_simulator", None)
    if own is not None:
        return own(seeds)
    tasks = [family.sample(seed.task_seed) for seed in seeds]
    return start(family, tasks, [seed.generator(Stream.RESETS) for seed in seeds], num_threads)


class Trials(NamedTuple):
    """T steps of W trials.

    Attributes:
        observations: The simulator's observations, [T, W, S].
        inputs: The network's inputs, [T, W, I].
        states: The GRU's states before the first step of every chunk of L, [T / L, W, H].
        actions: [T, W, A], or [T, W] action numbers.
        log_probs: The log-probabilities of the actions, [T, W].
        values: The values before each step and after the last one, [T + 1, W].
        rewards: [T, W].
        ended: True where an episode ended, [T, W].
    """

    observations: np.ndarray
    inputs: np.ndarray
    states: np.ndarray
    actions: np.ndarray
    log_probs: np.ndarray
    values: np.ndarray
    rewards: np.ndarray
    ended: np.ndarray


class TrialDriver:
    """Collects steps of W agents; each `run` continues after the last one."""

    def __init__(
        self,
        family: TaskFamily,
        seeds: Sequence[LifetimeSeed],
        actor: RecurrentActor,
        num_threads: int = 0,
    ):
        """Starts the tasks.

        Args:
            family: The distribution of tasks.
            seeds: One per agent, W of them.
            actor: The policy of the agents, at the start of its trials.
            num_threads: Threads of the simulator; 0 for the caller's alone.
        """
        self._simulator = make_simulator(family, seeds, num_threads)
        self._actor = actor
        self._discrete = family.num_actions is not None
        self._noise_size = 1 if self._discrete else family.action_size
        self._generators = [seed.generator(Stream.ACTIONS) for seed in seeds]

    def run(
        self,
        num_steps: int,
        chunk_steps: int | None = None,
        on_chunk: Callable[[], object] = lambda: None,
    ) -> Trials:
        """Takes the next T steps.

        Args:
            num_steps: T.
            chunk_steps: L; None for T.
            on_chunk: Called after every L steps.
        """
        actor, simulator = self._actor, self._simulator
        chunk_steps = chunk_steps or num_steps
        noise = self._draw_noise(num_steps)
        columns: list[list[np.ndarray]] = [[] for _ in range(7)]
        states = []
        for t in range(num_steps):
            if t % chunk_steps == 0:
                states.append(actor.state.copy())
            observation = simulator.observation.copy()
            inputs = actor.inputs(observation)
            features = actor.remember(inputs)
            action, log_prob = actor.act(features, noise[t])
            step = simulator.step(action)
            ended = step.terminated | step.truncated
            reward = step.reward.copy()
            if ended.any():
                simulator.reset(np.flatnonzero(ended))
            actor.take_in(action, reward, ended)
            value = actor.values(features)
            row = (observation, inputs, action, log_prob, value, reward, ended)
            for column, entry in zip(columns, row, strict=True):
                column.append(entry)
            if (t + 1) % chunk_steps == 0:
                on_chunk()
        observations, inputs, actions, log_probs, values, rewards, ended = map(np.stack, columns)
        values = np.concatenate([values, self._look_ahead()[np.newaxis]])
        return Trials(
            observations, inputs, np.stack(states), actions, log_probs, values, rewards, ended
        )

    def _look_ahead(self) -> np.ndarray:
        """Returns the values before the next step, [W], without taking it."""
        actor = self._actor
        before = actor.state.copy()
        expected = actor.values(actor.remember(actor.inputs(self._simulator.observation)))
        actor.state[...] = before
        return expected

    def _draw_noise(self, num_steps: int) -> np.ndarray:
        """Draws noise for the next steps, [T, W, A], from the generator of each worker."""
        shape = (num_steps, self._noise_size)
        draw = np.random.Generator.random if self._discrete else np.random.Generator.standard_normal
        return np.stack([draw(g, shape, dtype=np.float32) for g in self._generators], axis=1)
