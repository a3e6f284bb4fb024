"""The limit: the physics of a lifetime and nothing else, as one native call.

Every step of a lifetime is recorded: the state before it and the control. `mujoco.rollout` then
makes the same steps of the same models from the same states, in one batch. So it does exactly the
physics of that lifetime: no acting, no learning, no observation, no reset, no Python between steps.
The batch goes worker after worker, so that a model is used many times while it is in the cache. Its
outputs are allocated beforehand.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple
from unittest import mock

import mujoco
import numpy as np
from mujoco.rollout import Rollout

from epg_tf.agent.driver import CompiledDriver, LifetimeDriver
from epg_tf.agent.experience import Experience


class Recording(NamedTuple):
    """The recorded steps of one simulator.

    Attributes:
        models: The models of its W workers.
        frame_skip: MuJoCo steps per environment step.
        states: The full physics states before each step, T arrays [W, 1 + nq + nv + ...].
        controls: The controls of the actuators, T arrays [W, nu].
    """

    models: list[mujoco.MjModel]
    frame_skip: int
    states: list[np.ndarray]
    controls: list[np.ndarray]


@contextmanager
def recorded() -> Iterator[list[Recording]]:
    """Records the steps of all drivers inside a `with` statement, one `Recording` per driver."""
    recordings: dict[int, Recording] = {}
    drivers = []  # keeps them alive, so that ids stay unique
    result: list[Recording] = []

    def recording(run):
        def recorded_run(driver: LifetimeDriver) -> Experience:
            experience = run(driver)
            simulator, rollout = driver.env.simulator, driver.rollout
            if id(driver) not in recordings:
                models = [task.model for task in simulator.tasks]
                recordings[id(driver)] = Recording(models, simulator.family.frame_skip, [], [])
                drivers.append(driver)
                result.append(recordings[id(driver)])
            mine, (lowest, highest) = recordings[id(driver)], simulator.control_bounds
            for t in range(experience.length):
                control = np.clip(simulator.family.control(rollout.action[:, t]), lowest, highest)
                mine.states.append(rollout.before[:, t])
                mine.controls.append(np.nan_to_num(control))
            return experience

        return recorded_run

    with ExitStack() as stack:
        for kind in (LifetimeDriver, CompiledDriver):
            stack.enter_context(mock.patch.object(kind, "run", recording(kind.run)))
        yield result


class OpenLoop:
    """Repeats recorded physics.

    Attributes:
        num_steps: The number of environment steps per run.
        states: The states after the steps, [num_steps, frame_skip, ...], worker after worker.
    """

    def __init__(self, recordings: Sequence[Recording], num_threads: int, skip: int = 0):
        """Arranges the recorded steps as one batch.

        Args:
            recordings: The recordings of simulators of one family.
            num_threads: The number of threads that share the steps; 0 for the caller's alone.
            skip: Steps to leave out at the start of each recording.
        """
        initial, control = [], []
        self._models: list[mujoco.MjModel] = []
        for recording in recordings:
            states = np.stack(recording.states[skip:], axis=1)  # [W, T, ...]
            controls = np.stack(recording.controls[skip:], axis=1)
            initial.append(states.reshape(-1, states.shape[2]))
            control.append(controls.reshape(-1, controls.shape[2]))
            self._models += [model for model in recording.models for _ in range(states.shape[1])]
        frame_skip, model = recordings[0].frame_skip, self._models[0]
        self._initial = np.concatenate(initial)
        self._control = np.repeat(np.concatenate(control)[:, np.newaxis], frame_skip, axis=1)
        self._frame_skip = frame_skip
        self._pool = Rollout(nthread=num_threads)
        self._data = [mujoco.MjData(model) for _ in range(max(1, num_threads))]
        self.num_steps = len(self._initial)
        self.states = np.ones((self.num_steps, frame_skip, self._initial.shape[1]))
        self._sensors = np.ones((self.num_steps, frame_skip, model.nsensordata))

    def run(self) -> float:
        """Makes all steps; returns the seconds that they took."""
        start = time.perf_counter()
        self._pool.rollout(
            self._models,
            self._data,
            self._initial,
            self._control,
            skip_checks=True,
            nstep=self._frame_skip,
            state=self.states,
            sensordata=self._sensors,
        )
        return time.perf_counter() - start

    def close(self) -> None:
        """Ends the threads."""
        self._pool.close()
