"""W environments that are stepped together, one after the other, in Python."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from epg_tf.tasks.environments.settings import EnvironmentSettings, named_in_errors
from epg_tf.tasks.family import Task, stack_parameters
from epg_tf.tasks.simulator import Step

_LARGEST_SEED = 2**31


class EnvironmentSimulator:
    """Steps W environments, each with its own task and generator; see `BatchSimulator`.

    `warnings` counts the steps whose observation or reward is not finite. They end an episode with
    a reward of 0 where the last finite observation was. `state` is empty: environments do not tell.
    """

    def __init__(
        self,
        family: EnvironmentSettings,
        tasks: Sequence[Task],
        rngs: Sequence[np.random.Generator],
        num_threads: int = 0,
    ):
        """Makes the environments, and starts an episode in each.

        Args:
            family: The family that the tasks were drawn from.
            tasks: One task per worker.
            rngs: One generator per worker, for the seeds of episodes.
            num_threads: Not used: Python runs one environment at a time.
        """
        del num_threads
        self.family, self.tasks, self.rngs = family, list(tasks), list(rngs)
        self.num_workers = len(self.tasks)
        self.parameters = stack_parameters(self.tasks)
        self._environments = [family.make(task.parameters) for task in self.tasks]
        self._options = [family.reset_options(task.parameters) for task in self.tasks]
        self.steps = np.zeros(self.num_workers, np.int64)
        self.warnings = np.zeros(self.num_workers, np.int64)
        self.observation = np.zeros((self.num_workers, family.observation_size))
        self._arrived = np.zeros_like(self.observation)
        self.state = np.zeros((self.num_workers, 0))
        self.reset()

    def reset(self, workers: np.ndarray | None = None) -> None:
        """Starts new episodes and writes their first observations to `observation`."""
        for worker in range(self.num_workers) if workers is None else workers:
            seed = int(self.rngs[worker].integers(_LARGEST_SEED))
            with named_in_errors(self.family, "reset"):
                start, _ = self._environments[worker].reset(
                    seed=seed, options=self._options[worker]
                )
            self.observation[worker] = start
            self.steps[worker] = 0

    def step(self, action: np.ndarray) -> Step:
        """Steps every environment once; resets none."""
        reward = np.zeros(self.num_workers)
        terminated = np.zeros(self.num_workers, bool)
        truncated = np.zeros(self.num_workers, bool)
        for worker, environment in enumerate(self._environments):
            given = self.family.scaled(action[worker])
            with named_in_errors(self.family, "step"):
                arrived, reward[worker], ends, runs_out, _ = environment.step(given)
            is_sound = np.isfinite(arrived).all() and np.isfinite(reward[worker])
            if is_sound:
                self._arrived[worker] = arrived
            else:
                self._arrived[worker], reward[worker] = self.observation[worker], 0.0
            self.warnings[worker] += not is_sound
            terminated[worker] = ends or not is_sound
            truncated[worker] = runs_out and not terminated[worker]
        self.steps += 1
        np.copyto(self.observation, self._arrived)
        return Step(self._arrived, reward, terminated, truncated)
