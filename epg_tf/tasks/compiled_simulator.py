"""Rollouts of the batched simulator's workers in one compiled call, without Python."""

from __future__ import annotations

from typing import NamedTuple

import mujoco
import numpy as np

from epg_tf.native.collect import Actors, Starts, Steps, World, collect
from epg_tf.native.compiler import prepare
from epg_tf.native.rules import address_of_rule, terminated_all
from epg_tf.tasks.mujoco_process import mujoco_address
from epg_tf.tasks.rules import Rules, rules_in_force
from epg_tf.tasks.simulator import FULL_PHYSICS, BatchSimulator

_QUEUE = 8  # episode starts drawn ahead per worker; the call returns when they run out


class Rollout(NamedTuple):
    """A rollout: M steps of W workers.

    Attributes:
        observation: The observation before the step, [W, M, S] float32.
        action: [W, M, A] float32, or [W, M] action numbers.
        reward: [W, M].
        terminated: True if the episode ended, but not by the time limit, [W, M] bool.
        ended: True if the episode ended, also by the time limit, [W, M] bool.
        arrived: The observation after the step, before any reset, [W, M, S] float32.
        before: Full physics before the step, [W, M, ...].
        after: Full physics after the step, before any reset, [W, M, ...].
    """

    observation: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    ended: np.ndarray
    arrived: np.ndarray
    before: np.ndarray
    after: np.ndarray


def is_compilable(simulator: BatchSimulator) -> bool:
    """Returns whether a family has rules and its models only features that the call supports.

    The workers share one mjData: its state outside the full physics would leak between workers.
    """
    family, model = simulator.family, simulator.tasks[0].model
    if family.simulator_type is not None:
        return False
    width = model.nu if family.num_actions is not None else family.action_size
    plain = not (model.nmocap or model.neq or model.nplugin or model.nuserdata)
    return rules_in_force(family) is not None and plain and width == model.nu


class CompiledSimulator:
    """Takes the workers of a `BatchSimulator` through M steps at a time.

    It updates the simulator's state. Do not call the simulator's `reset`: the next episode starts
    are already drawn from the workers' generators.

    Attributes:
        starts: The episode starts drawn ahead.
    """

    def __init__(self, simulator: BatchSimulator, num_steps: int):
        """Prepares the arrays of the call.

        Args:
            simulator: The workers in their current states; `is_compilable` must hold.
            num_steps: M.

        Raises:
            ValueError: If the machine code of the rules is older than their source.
        """
        family, workers = simulator.family, simulator.num_workers
        rules, model = rules_in_force(family), simulator.tasks[0].model
        assert rules is not None
        self._simulator, self._num_steps = simulator, num_steps
        self._is_prepared = False
        self._data = mujoco.MjData(model)
        self._coordinates = slice(1, 1 + model.nq), slice(1 + model.nq, 1 + model.nq + model.nv)
        everything = simulator.parameters
        addresses = [
            self._data._address,  # pyright: ignore[reportAttributeAccessIssue]
            *map(mujoco_address, ("mj_step", "mj_getState", "mj_setState")),
            address_of_rule(rules.observe),
            address_of_rule(rules.terminated, decides=True),
        ]
        actions = family.num_actions
        grid = np.empty((0, model.nu)) if actions is None else family.control(np.arange(actions))
        self._world = World(
            models=np.array([task.model._address for task in simulator.tasks], np.int64),  # pyright: ignore[reportAttributeAccessIssue]
            addresses=np.array(addresses, np.int64),
            signature=FULL_PHYSICS,
            control=self._data.ctrl,
            warm_start=self._data.qacc_warmstart,
            warned=self._data.warning.number,
            substeps=simulator.substeps,
            observation=simulator.observation,
            fresh_state=simulator.fresh_state,
            least_time=simulator.least_time,
            bounds=np.stack(simulator.control_bounds, axis=1),
            stretch=np.stack(rules.stretch or (np.zeros(model.nu), np.ones(model.nu))),
            grid=np.ascontiguousarray(grid, np.float64),
            parameters=rules.known(everything, workers),
            steps=simulator.steps,
            warnings=simulator.warnings,
            frame_skip=family.frame_skip,
            time_limit=family.time_limit,
            num_positions=model.nq,
        )
        self.starts = Starts(
            states=np.empty((workers, _QUEUE, model.nq + model.nv)),
            used=np.full(workers, _QUEUE),
            needs_start=np.zeros(workers, bool),
            done=np.zeros(workers, np.int64),
        )
        self._check(rules)
        self._parameters = [
            {name: np.repeat(value[w : w + 1], num_steps, 0) for name, value in everything.items()}
            for w in range(workers)
        ]

    def collect(self, actors: Actors, noise: np.ndarray) -> Rollout:
        """Takes the next M steps.

        Args:
            actors: The agents' policies.
            noise: Standard normal numbers [W, M, A] float32, or uniform ones [W, M, 1].
        """
        simulator, starts = self._simulator, self.starts
        family = simulator.family
        discrete = family.num_actions is not None
        shape = (simulator.num_workers, self._num_steps)
        observation = np.empty((*shape, family.observation_size), np.float32)
        state = (*shape, self._world.substeps.shape[2])
        steps = Steps(
            observation=observation,
            action=np.empty((*shape, 0 if discrete else family.action_size), np.float32),
            choice=np.empty((*shape[:1], shape[1] if discrete else 0), np.int64),
            arrived=np.empty(observation.shape),
            before=np.empty(state),
            after=np.empty(state),
            terminated=np.empty(shape, bool),
            truncated=np.empty(shape, bool),
        )
        starts.done[:] = 0
        arguments = (self._world, actors, noise, starts, steps)
        if not self._is_prepared:
            prepare(collect, arguments)
            self._is_prepared = True
        while collect(*arguments):
            self._draw_starts(np.flatnonzero(starts.needs_start))
        action = steps.choice if discrete else steps.action
        return Rollout(
            observation,
            action,
            self._reward(steps, action),
            steps.terminated,
            steps.terminated | steps.truncated,
            steps.arrived.astype(np.float32),
            steps.before,
            steps.after,
        )

    def _check(self, rules: Rules) -> None:
        """Compares machine code with its source once: other modules that it uses may be newer."""
        simulator, num_workers = self._simulator, min(2, self._simulator.num_workers)
        positions, velocities = (simulator.state[:num_workers, part] for part in self._coordinates)
        known = self._world.parameters[:num_workers]
        ends = terminated_all(rules.terminated, (positions, velocities, known))
        for worker, state in enumerate(zip(positions, velocities, known, strict=True)):
            seen = np.empty(simulator.family.observation_size)
            rules.observe(*state, seen)
            agree = np.allclose(seen, simulator.observation[worker], rtol=1e-6, equal_nan=True)
            if not agree or bool(rules.terminated(*state)) != ends[worker]:
                raise ValueError(
                    f"`rules` of {type(simulator.family).__name__} (={rules}) must be compiled "
                    "from what they are now. Where they refer to what is defined in other modules "
                    "and has changed, delete numba's cache (`__pycache__`) beside them."
                )

    def _draw_starts(self, workers: np.ndarray) -> None:
        """Refills the queues of workers without starts, from the workers' generators."""
        simulator = self._simulator
        for worker in workers:
            for place in range(_QUEUE):
                self.starts.states[worker, place] = np.concatenate(
                    simulator.family.initial_state(simulator.tasks[worker], simulator.rngs[worker])
                )
        self.starts.used[workers] = 0

    def _reward(self, steps: Steps, action: np.ndarray) -> np.ndarray:
        """Returns the rewards of all steps, [W, M], by one call of the family's rule per worker.

        Some NumPy functions round by the place in an array: one call would mix in other workers.
        """
        positions, velocities = self._coordinates
        rewards = np.empty(action.shape[:2])
        for worker, parameters in enumerate(self._parameters):
            before, after = steps.before[worker], steps.after[worker]
            rewards[worker] = self._simulator.family.reward(
                before[:, positions],
                after[:, positions],
                after[:, velocities],
                steps.arrived[worker],
                action[worker],
                parameters,
            )
        return rewards
