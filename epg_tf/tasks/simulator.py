"""W simulators with W different models, stepped by one native call (`mujoco.rollout`).

This is the innermost loop (Algorithm 1, line 8). So a step makes few NumPy calls, and they write to
preallocated arrays. `mujoco.rollout` is stateless: it takes the full physics state of every worker
and returns it. Resets are explicit. A worker's results depend only on its task, actions and
generator.

`environment` and `gymnasium_env` implement TF-Agents and gymnasium conventions.
"""

import atexit
import ctypes
import math
import os
from collections.abc import Sequence
from typing import NamedTuple

import mujoco
import numpy as np
from mujoco.rollout import Rollout

from epg_tf.tasks.family import Task, TaskFamily, stack_parameters
from epg_tf.tasks.mujoco_process import silence_mujoco_warnings, stop_mujoco_clock

# Episodes start at one second, not at zero. If MuJoCo cannot integrate a state, it resets the
# simulation and its clock to zero. So every such reset turns time back, and `step` notices it.
START_TIME = 1.0

# MuJoCo rejects larger controls (mjMAXVAL), so this bounds actuators that have no range.
_LARGEST_CONTROL = 1e10

# The bits of a full physics state: time, positions, velocities, and parts that most models lack.
FULL_PHYSICS = mujoco.mjtState.mjSTATE_FULLPHYSICS.value


class Step(NamedTuple):
    """The result of one step of all workers.

    Attributes:
        observation: The observations after the step, `[W, S]` float64, valid until the next step.
        reward: `[W]` float64.
        terminated: True if the episode ended, but not by the time limit, `[W]` bool.
        truncated: True if the time limit ended the episode, `[W]` bool; False where terminated.
    """

    observation: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray


class BatchSimulator:
    """Steps W workers, each with its own task and generator.

    Attributes:
        family: The family whose rules apply.
        tasks: The workers' tasks, W of them.
        rngs: The workers' generators; only resets draw from them.
        num_workers: W.
        observation: The input of the next action, `[W, S]` float64. It is always the same array;
            `step` and `reset` write to it.
        warnings: The number of steps that MuJoCo could not integrate, `[W]` integers.
        substeps: Full physics after each substep of the last step, `[W, frame_skip, ...]`; the last
            substep is `state`.
        steps: Steps taken in the current episode, `[W]` integers.
        parameters: The tasks' parameters, stacked.
        fresh_state: Full physics at an episode's start, except positions and velocities.
        least_time: The least time in seconds that a valid step takes, `[W]`.
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
                Simulators with equal `num_threads` share threads, so step them one at a time.

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
        self._num_threads = num_threads
        self._data = [mujoco.MjData(models[0]) for _ in range(max(1, num_threads))]
        self._chunk_size = math.ceil(self.num_workers / max(1, num_threads))

        shape = (self.num_workers, family.frame_skip)
        model = models[0]
        # The rollout fills in every substep; only the last of them is the new state.
        self.substeps = np.zeros((*shape, _state_size(model)))
        self._sensors = np.empty((*shape, model.nsensordata))
        self._control = np.empty((*shape, model.nu))
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
        # Half a substep of tolerance for rounding: a step with a missing substep takes less time.
        self.least_time = np.array([(family.frame_skip - 0.5) * m.opt.timestep for m in models])

        self.steps = np.zeros(self.num_workers, dtype=np.int64)
        self._arrived = np.empty((self.num_workers, family.observation_size))
        self.observation = np.empty_like(self._arrived)
        self.reset()

    @property
    def state(self) -> np.ndarray:
        """A view of the workers' physics `[W, 1 + nq + nv + ...]`: writing to it moves them."""
        return self._state

    def reset(self, workers: np.ndarray | None = None) -> None:
        """Starts new episodes and writes their first observations to `observation`.

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

        If MuJoCo cannot integrate a worker's step, `warnings` counts it. The worker keeps its state
        and terminates.

        Args:
            action: `[W, A]`, or `[W]` integers for a finite action space. MuJoCo gets controls
                clipped to the actuators' range, and 0 for NaN; the reward gets the unchanged
                action.

        Returns:
            The step's results. `self.observation` holds the same observations until `reset`.
        """
        family, parameters = self.family, self.parameters
        np.copyto(self._state_before, self._state)
        control = family.control(action)
        assert control.shape == (self.num_workers, self._control.shape[2]), control.shape
        lowest, highest = self.control_bounds
        # The same controls for every substep.
        write_control(control[:, None], (lowest[:, None], highest[:, None]), self._control)
        _thread_pool(self._num_threads).rollout(
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
        # For booleans a > b is "a and not b": a terminated episode is not truncated.
        truncated = np.greater(self.steps >= family.time_limit, terminated)
        np.copyto(self.observation, self._arrived)
        return Step(self._arrived, reward, terminated, truncated)


def start(
    family: TaskFamily,
    tasks: Sequence[Task],
    rngs: Sequence[np.random.Generator],
    num_threads: int = 0,
) -> BatchSimulator:
    """Starts an episode for every worker, in the family's kind of simulator.

    Args:
        family: The family that the tasks were drawn from.
        tasks: One task per worker.
        rngs: One generator per worker.
        num_threads: See `BatchSimulator`.
    """
    return (family.simulator_type or BatchSimulator)(family, tasks, rngs, num_threads)


def write_control(
    control: np.ndarray, bounds: tuple[np.ndarray, np.ndarray], out: np.ndarray
) -> None:
    """Writes controls to `out`, clipped to the lowest and highest ones, and 0 for NaN."""
    np.maximum(control, bounds[0], out=out)
    np.minimum(out, bounds[1], out=out)
    if math.isnan(_sum_of_squares(out.reshape(-1))):
        np.copyto(out, 0.0, where=np.isnan(out))


def _sum_of_squares(values: np.ndarray) -> float:
    """Returns a non-finite number if any of the flat `values` is: the cheapest check of all."""
    return values.dot(values)


def control_bounds(model: mujoco.MjModel) -> np.ndarray:
    """Returns the lowest and the highest control of every actuator, `[2, nu]`."""
    bounds = np.array(model.actuator_ctrlrange.T)
    unlimited = model.actuator_ctrllimited == 0
    bounds[0, unlimited], bounds[1, unlimited] = -_LARGEST_CONTROL, _LARGEST_CONTROL
    return bounds


def fresh_state(model: mujoco.MjModel) -> np.ndarray:
    """Returns the model's default full physics state with the clock at `START_TIME`."""
    state = np.empty(_state_size(model))
    mujoco.mj_getState(model, mujoco.MjData(model), state, FULL_PHYSICS)
    state[0] = START_TIME
    return state


def _state_size(model: mujoco.MjModel) -> int:
    return mujoco.mj_stateSize(model, FULL_PHYSICS)


_pools: dict[int, Rollout] = {}


def _thread_pool(num_threads: int) -> Rollout:
    """Returns the process's pool of this size, so that new simulators do not add threads."""
    if num_threads not in _pools:
        _pools[num_threads] = Rollout(nthread=num_threads)
        atexit.register(_pools[num_threads].close)
    return _pools[num_threads]


def _abandon_pools() -> None:
    """Forgets the pools in a forked process, which has none of their threads.

    To end such a pool would wait for its threads for ever, so it is never freed.
    """
    for pool in _pools.values():
        atexit.unregister(pool.close)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(pool))
    _pools.clear()


os.register_at_fork(after_in_child=_abandon_pools)
