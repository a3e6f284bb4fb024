"""The batched simulator as a TF-Agents environment.

In TF-Agents the step after an episode's end starts the next episode. It ignores the worker's action
and yields a boundary, not a transition. `step` does so per worker, for a stock `PyDriver`. A
lifetime counts transitions (K updates of M steps each, Algorithm 1). So its driver uses `advance`,
which starts the next episode within the same step and wastes none.
"""

import numpy as np
from tf_agents.environments import py_environment
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts

from epg_tf.tasks.simulator import BatchSimulator, Step


class BatchedEnvironment(py_environment.PyEnvironment):
    """W workers as one batched `PyEnvironment`.

    Observations and rewards are float32, actions float32 in [-1, 1] or integers. The discount is 0
    where an episode terminated, and 1 where the time limit truncated it and everywhere else.

    Attributes:
        simulator: The simulator; `simulator.observation` is the input of the next action.
    """

    def __init__(self, simulator: BatchSimulator):
        """Wraps a simulator in its current state.

        Args:
            simulator: The simulator of W workers, which this environment then steps and resets.
        """
        self.simulator = simulator
        # The last step of `advance` and the workers whose next episode it started.
        # `_current_time_step` is made from them on demand.
        self._advanced: tuple[Step, np.ndarray] | None = None
        self._time_step: ts.TimeStep | None = None
        # The workers that `step` has left at the end of an episode.
        self._ended = np.zeros(simulator.num_workers, dtype=bool)
        self._any_ended = False
        super().__init__()

    @property
    def batched(self) -> bool:
        """True: all arrays have a leading axis W."""
        return True

    @property
    def batch_size(self) -> int:
        """The number of workers, W."""
        return self.simulator.num_workers

    def observation_spec(self) -> array_spec.ArraySpec:
        """Returns the spec of one worker's observation, `[S]` float32."""
        size = self.simulator.family.observation_size
        return array_spec.ArraySpec((size,), np.float32, "observation")

    def action_spec(self) -> array_spec.BoundedArraySpec:
        """Returns the spec of one worker's action: `[A]` float32 in [-1, 1], or an integer."""
        family = self.simulator.family
        if family.num_actions is not None:
            return array_spec.BoundedArraySpec((), np.int64, 0, family.num_actions - 1, "action")
        return array_spec.BoundedArraySpec((family.action_size,), np.float32, -1.0, 1.0, "action")

    def advance(self, action: np.ndarray, arrived: np.ndarray | None = None) -> Step:
        """Steps all workers, and starts the next episode of those whose episode ended.

        Args:
            action: `[W, A]`, or `[W]` integers.
            arrived: Output for the full physics after the step, before any reset, `[W, ...]`.

        Returns:
            W transitions. `simulator.observation` is the input of the next action: the new
            episode's first observation for workers whose episode ended.
        """
        if self._any_ended:
            self._restart()
        step = self.simulator.step(action)
        if arrived is not None:
            np.copyto(arrived, self.simulator.state)
        ended = step.terminated | step.truncated
        if np.count_nonzero(ended):
            self.simulator.reset(np.flatnonzero(ended))
        self._advanced = step, ended
        return step

    def _reset(self) -> ts.TimeStep:
        self._forget_ended()
        self.simulator.reset()
        return ts.restart(self._observation(), batch_size=self.batch_size)

    def _step(self, action: np.ndarray) -> ts.TimeStep:
        # Workers at an episode's end step with the others and then restart: the results of their
        # step, a warning included, are dropped.
        starting, warnings = self._ended, self.simulator.warnings.copy()
        step = self.simulator.step(action)
        if self._any_ended:
            self.simulator.warnings[starting] = warnings[starting]
            self._restart()
        ended = (step.terminated | step.truncated) & ~starting
        self._ended, self._any_ended = ended, bool(ended.any())
        step_type = np.where(ended, ts.StepType.LAST, ts.StepType.MID)
        return self._make_time_step(
            np.where(starting, ts.StepType.FIRST, step_type), step, step.terminated & ended
        )

    def _restart(self) -> None:
        self.simulator.reset(np.flatnonzero(self._ended))
        self._forget_ended()

    def _forget_ended(self) -> None:
        self._ended, self._any_ended = np.zeros(self.batch_size, dtype=bool), False

    def _observation(self) -> np.ndarray:
        return self.simulator.observation.astype(np.float32)

    def _make_time_step(
        self, step_type: np.ndarray, step: Step, terminated: np.ndarray
    ) -> ts.TimeStep:
        started = step_type == ts.StepType.FIRST
        return ts.TimeStep(
            step_type.astype(np.int32),
            np.where(started, 0.0, step.reward).astype(np.float32),
            np.where(terminated, 0.0, 1.0).astype(np.float32),
            self._observation(),
        )

    @property
    def _current_time_step(self) -> ts.TimeStep | None:
        """The base class's current time step; after `advance` it is made on demand."""
        if self._advanced is not None:
            step, ended = self._advanced
            step_type = np.where(ended, ts.StepType.FIRST, ts.StepType.MID)
            self._current_time_step = self._make_time_step(step_type, step, np.zeros_like(ended))
        return self._time_step

    @_current_time_step.setter
    def _current_time_step(self, time_step: ts.TimeStep | None) -> None:
        self._time_step, self._advanced = time_step, None
