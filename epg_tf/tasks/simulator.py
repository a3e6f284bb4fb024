"""W simulators with W different models, stepped by one native call (`mujoco.rollout`).

This is the innermost loop of the project, under Algorithm 1's line 8, so each step makes few NumPy
calls and they write to arrays made once. `mujoco.rollout` is stateless: it takes the full physics
state of every worker and returns it. Resets are explicit, and a worker's numbers come from its own
task, action and generator alone.

TF-Agents and gymnasium conventions are left to `environment` and `gymnasium_env`.
"""

import atexit
import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import mujoco
import numpy as np
from mujoco.rollout import Rollout

from epg_tf.tasks.family import Task, TaskFamily, stack_parameters
from epg_tf.tasks.mujoco_process import silence_mujoco_warnings, stop_mujoco_clock

# Episodes start at one second, not at zero. Where MuJoCo meets a state it cannot integrate it puts
# the model back to its default with the clock at zero, so with this start every such reset turns
# time back.
START_TIME = 1.0

# Beyond this MuJoCo calls a control bad (mjMAXVAL); it bounds actuators that have no range.
_LARGEST_CONTROL = 1e10

# What a full physics state holds: the time, positions, velocities, and what most models lack.
FULL_PHYSICS = mujoco.mjtState.mjSTATE_FULLPHYSICS.value


class Step(NamedTuple):
    """What one step of all workers gave.

    Attributes:
        observation: Where the step arrived, `[W, S]` float64, valid until the next step.
        reward: `[W]` float64.
        terminated: The episode reached an end of its own, `[W]` bool.
        truncated: The episode was cut by the time limit, `[W]` bool, False where terminated.
    """

    observation: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray


class BatchSimulator:
    """Steps W workers, each with its own task and generator.

    Attributes:
        family: The family whose rules apply.
        tasks: The worker's tasks, W of them.
        rngs: The workers' generators; only resets draw from them.
        num_workers: W.
        observation: The observations to act on now, `[W, S]` float64. The same array throughout,
            written by `step` and `reset`.
        warnings: Steps that MuJoCo could not integrate, `[W]` integers, since the start.
        substeps: Full physics after each substep of the last step, `[W, frame_skip, ...]`; the last
            of them is `state`.
        steps: Taken in the running episode, `[W]` integers.
        parameters: The tasks' parameters, stacked.
        fresh_state: Full physics where an episode starts, but for positions and velocities.
        least_time: What a step takes at least, in seconds, `[W]`.
        control_bounds: The lowest and the highest controls, `[W, nu]` each.
    """

    def __init__(
        self,
        family: TaskFamily,
        tasks: Sequence[Task],
        rngs: Sequence[np.random.Generator],
        num_threads: int = 0,
    ):
        """Builds the simulator and starts an episode for every worker.

        Args:
            family: The family that the tasks were drawn from.
            tasks: One task per worker.
            rngs: One generator per worker.
            num_threads: Threads that share the workers; 0 steps them on the calling thread.
                Simulators with the same number share their threads, so step them one at a time.

        Raises:
            ValueError: If there is no task, or not one generator per task, or the models differ in
                size, or the number of threads is negative.
        """
        if num_threads < 0:
            raise ValueError(f"`num_threads` (={num_threads}) must be 0 or more.")
        if not tasks or len(tasks) != len(rngs):
            raise ValueError(
                f"`rngs` (of length {len(rngs)}) must be as many as `tasks` "
                f"(of length {len(tasks)}), at least one."
            )
        models = [task.model for task in tasks]
        sizes = {(_state_size(m), m.nq, m.nv, m.nu, m.nbody, m.ngeom, m.njnt) for m in models}
        if len(sizes) > 1:
            raise ValueError(f"`tasks` (with model sizes {sizes}) must have models of equal sizes.")
        silence_mujoco_warnings()
        stop_mujoco_clock()

        self.family = family
        self.tasks = list(tasks)
        self.rngs = list(rngs)
        self.num_workers = len(models)
        self.warnings = np.zeros(self.num_workers, dtype=np.int64)
        self._models = models
        self.parameters = stack_parameters(tasks)
        self._pool = _thread_pool(num_threads)
        self._data = [mujoco.MjData(models[0]) for _ in range(max(1, num_threads))]
        self._chunk_size = math.ceil(self.num_workers / max(1, num_threads))

        shape = (self.num_workers, family.frame_skip)
        model = models[0]
        # The rollout fills in every substep; only the last of them is the new state.
        self.substeps = np.zeros((*shape, _state_size(model)))
        self._sensors = np.empty((*shape, model.nsensordata))
        self._control = np.empty((*shape, model.nu))
        self._flat_control = self._control.reshape(-1)
        self._flat_states = self.substeps.reshape(-1)
        self._state = self.substeps[:, -1]
        self._state_before = np.empty_like(self._state)
        self.fresh_state = np.stack([fresh_state(model) for model in models])
        velocities = 1 + model.nq
        self._time, self._time_before = self._state[:, 0], self._state_before[:, 0]
        self._qpos = self._state[:, 1:velocities]
        self._qpos_before = self._state_before[:, 1:velocities]
        self._qvel = self._state[:, velocities : velocities + model.nv]
        bounds = np.stack([control_bounds(model) for model in models])
        self.control_bounds = bounds[:, 0], bounds[:, 1]
        # Half a substep less than a step takes: rounding cannot reach it, a missing substep does.
        self.least_time = np.array([(family.frame_skip - 0.5) * m.opt.timestep for m in models])

        self.steps = np.zeros(self.num_workers, dtype=np.int64)
        self._arrived = np.empty((self.num_workers, family.observation_size))
        self.observation = np.empty_like(self._arrived)
        self.reset()

    @property
    def state(self) -> np.ndarray:
        """The workers' physics `[W, 1 + nq + nv + ...]`, live: writing to it moves them."""
        return self._state

    def reset(self, workers: np.ndarray | None = None) -> None:
        """Starts new episodes, and puts their first observations in `observation`.

        Args:
            workers: Indices of the workers to reset; all of them by default.
        """
        if workers is None:
            workers = np.arange(self.num_workers)
        self._state[workers] = self.fresh_state[workers]
        for worker in workers:
            self._qpos[worker], self._qvel[worker] = self.family.initial_state(
                self.tasks[worker], self.rngs[worker]
            )
        self.steps[workers] = 0
        self.observation[workers] = self.family.observe(
            self._qpos[workers],
            self._qvel[workers],
            {name: value[workers] for name, value in self.parameters.items()},
        )

    def step(self, action: np.ndarray) -> Step:
        """Steps every worker once; resets none.

        A step that MuJoCo cannot integrate counts in `warnings` and terminates its worker where it
        stood.

        Args:
            action: `[W, A]`, or `[W]` integers for a finite action space. Controls are clipped to
                the actuators' range, and NaN becomes 0 for MuJoCo; the reward sees the action as
                given.

        Returns:
            What the step gave. `observation` then holds the same observations, until `reset`.
        """
        family, parameters = self.family, self.parameters
        np.copyto(self._state_before, self._state)
        self._write_control(family.control(action))
        self._pool.rollout(
            self._models,
            self._data,
            self._state_before,
            self._control,
            skip_checks=True,
            nstep=family.frame_skip,
            state=self.substeps,
            sensordata=self._sensors,
            chunk_size=self._chunk_size,
        )
        failed = self._time - self._time_before < self.least_time
        if not math.isfinite(_sum_of_squares(self._flat_states)):
            failed |= ~np.isfinite(self._state).all(axis=1)
        any_failed = np.count_nonzero(failed)
        if any_failed:
            self._state[failed] = self._state_before[failed]
            self.warnings += failed
        family.observe(self._qpos, self._qvel, parameters, out=self._arrived)
        reward = family.reward(
            self._qpos_before, self._qpos, self._qvel, self._arrived, action, parameters
        )
        terminated = family.terminated(self._qpos, self._qvel, parameters)
        if any_failed:
            terminated |= failed
        self.steps += 1
        # For booleans a > b is "a and not b": what has terminated was not truncated.
        truncated = np.greater(self.steps >= family.time_limit, terminated)
        np.copyto(self.observation, self._arrived)
        return Step(self._arrived, reward, terminated, truncated)

    def _write_control(self, control: np.ndarray) -> None:
        """Clips the controls `[W, nu]` and repeats them for every substep."""
        clipped = self._control
        assert control.shape == (len(clipped), clipped.shape[2]), control.shape
        lowest, highest = self.control_bounds
        np.maximum(control[:, None], lowest[:, None], out=clipped)
        np.minimum(clipped, highest[:, None], out=clipped)
        if math.isnan(_sum_of_squares(self._flat_control)):
            np.copyto(clipped, 0.0, where=np.isnan(clipped))


def _sum_of_squares(values: np.ndarray) -> float:
    """Not finite if a number is not: the cheapest look at all of them. `values` is flat."""
    return values.dot(values)


def control_bounds(model: mujoco.MjModel) -> np.ndarray:
    """Returns the lowest and the highest control of every actuator, `[2, nu]`."""
    bounds = np.array(model.actuator_ctrlrange.T)
    unlimited = model.actuator_ctrllimited == 0
    bounds[0, unlimited], bounds[1, unlimited] = -_LARGEST_CONTROL, _LARGEST_CONTROL
    return bounds


def fresh_state(model: mujoco.MjModel) -> np.ndarray:
    """Returns the model's default full physics state, the clock at `START_TIME`."""
    state = np.empty(_state_size(model))
    mujoco.mj_getState(model, mujoco.MjData(model), state, FULL_PHYSICS)
    state[0] = START_TIME
    return state


def _state_size(model: mujoco.MjModel) -> int:
    return mujoco.mj_stateSize(model, FULL_PHYSICS)


@functools.cache
def _thread_pool(num_threads: int) -> Rollout:
    """One pool per size for the process: a simulator per epoch must not leave threads behind."""
    pool = Rollout(nthread=num_threads)
    atexit.register(pool.close)
    return pool
