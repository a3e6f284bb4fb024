"""The tasks as gymnasium environments: one at a time (`TaskEnv`), or W at once (`TaskVectorEnv`).

    gymnasium.make("epg/RandomHopper-v0", task_seed=3)
    gymnasium.make_vec("epg/RandomHopper-v0", num_envs=16, task_seed=3)

The scalar environment is the plain loop of `mj_step` on one MjData. It is the reference for the
batched simulator, whose rules it shares. Both truncate at the family's time limit themselves,
because gymnasium wraps no TimeLimit around vector environments.
"""

from collections.abc import Sequence
from typing import Any, cast

import gymnasium
import mujoco
import numpy as np
from gymnasium.envs.registration import load_env_creator
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from epg_tf.checks import PositiveInt, require
from epg_tf.tasks.family import TaskFamily, stack_parameters
from epg_tf.tasks.mujoco_process import silence_mujoco_warnings
from epg_tf.tasks.simulator import START_TIME, BatchSimulator, control_bounds, write_control


class TaskEnv(gymnasium.Env):
    """One task as a gymnasium environment.

    It does not render, so it needs no OpenGL; `rendering.process` draws frames from `model` and
    `data`.

    Attributes:
        family: The family whose rules apply.
        task: The task.
        model: The task's MuJoCo model.
        data: The simulation's state.
    """

    metadata = {"render_modes": []}

    def __init__(self, family: TaskFamily | str, task_seed: int = 0, **family_options: Any):
        """Draws the task and builds its simulation.

        Args:
            family: A family, or the name of its class: "module:Class".
            task_seed: The task's seed.
            **family_options: The family's fields, if it is given by name.

        Raises:
            TypeError: If there is a `render_mode`.
            ValueError: If there are options of a family not given by name.
        """
        silence_mujoco_warnings()
        self.family = _resolve(family, family_options)
        self.task = self.family.sample(task_seed)
        self.model = self.task.model
        self.data = mujoco.MjData(self.model)
        self.observation_space, self.action_space = _spaces(self.family)
        self._parameters = stack_parameters([self.task])
        self._control_bounds = tuple(control_bounds(self.model))
        self._steps, self._is_reset = 0, False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Starts an episode; `seed` seeds the draws of episodes, never the task."""
        super().reset(seed=seed)
        mujoco.mj_resetData(self.model, self.data)
        qpos, qvel = self.family.initial_state(self.task, self.np_random)
        self._set_state(START_TIME, qpos, qvel)
        self._steps, self._is_reset = 0, True
        return self._observe(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Steps once; if MuJoCo cannot integrate it, the state stays and the episode terminates."""
        family, data = self.family, self.data
        actions = _checked(action, self.action_space, self._is_reset)[None]
        time, qpos_before, qvel_before = data.time, data.qpos.copy(), data.qvel.copy()
        write_control(family.control(actions)[0], self._control_bounds, data.ctrl)
        mujoco.mj_step(self.model, data, nstep=family.frame_skip)
        # MuJoCo resets a simulation that it cannot integrate, including the clock.
        finite = np.isfinite(data.qpos).all() and np.isfinite(data.qvel).all()
        failed = data.time < time or not bool(finite)
        if failed:
            self._set_state(time, qpos_before, qvel_before)
        state = data.qpos[None], data.qvel[None]
        observation = self._observe()
        reward = family.reward(
            qpos_before[None], *state, observation[None], actions, self._parameters
        )
        terminated = failed or bool(family.terminated(*state, self._parameters)[0])
        self._steps += 1
        truncated = self._steps >= family.time_limit and not terminated
        return observation, float(reward[0]), terminated, truncated, {}

    def _set_state(self, time: float, qpos: np.ndarray, qvel: np.ndarray) -> None:
        self.data.time = time
        self.data.qpos[:] = qpos
        self.data.qvel[:] = qvel
        mujoco.mj_forward(self.model, self.data)

    def _observe(self) -> np.ndarray:
        return self.family.observe(self.data.qpos[None], self.data.qvel[None], self._parameters)[0]


class TaskVectorEnv(gymnasium.vector.VectorEnv):
    """W tasks as one vector environment, on the batched simulator.

    If an episode ends, the next one starts within the same step. The returned observation is the
    new episode's first, and `info["final_obs"][worker]` is the old episode's last.

    Attributes:
        simulator: The batched simulator underneath.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(
        self,
        family: TaskFamily | str,
        num_envs: int = 1,
        task_seed: int | Sequence[int] = 0,
        num_threads: int = 0,
        **family_options: Any,
    ):
        """Draws the tasks and builds the simulator.

        Args:
            family: A family, or the name of its class: "module:Class".
            num_envs: W.
            task_seed: The tasks' seeds; a single seed stands for itself and the W - 1 that follow.
            num_threads: Threads that share the workers; 0 steps them on the calling thread.
            **family_options: The family's fields, if it is given by name.

        Raises:
            ValueError: If W is not positive, if there are not W task seeds, or as in `TaskEnv`.
        """
        num_envs = int(num_envs) if isinstance(num_envs, np.integer) else num_envs
        require("num_envs", num_envs, PositiveInt)
        family = _resolve(family, family_options)
        self.num_envs = num_envs
        seeds = _one_per_worker("task_seed", task_seed, num_envs)
        self.simulator = BatchSimulator(
            family,
            [family.sample(seed) for seed in seeds],
            [np.random.default_rng() for _ in range(num_envs)],
            num_threads,
        )
        self.single_observation_space, self.single_action_space = _spaces(family)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._is_reset = False

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Starts new episodes.

        Args:
            seed: Seeds of the draws of the workers' episodes. A single seed stands for itself and
                the W - 1 that follow; None keeps the workers' generators.
            options: `{"reset_mask": mask}` resets the workers where the mask `[W]` is True.

        Returns:
            The first observations `[W, S]`, and an empty info.
        """
        mask = np.ones(self.num_envs, dtype=bool)
        if options is not None:
            mask = np.asarray(options.get("reset_mask", mask))
        workers = np.flatnonzero(mask)
        seeds = [None] * self.num_envs
        if seed is not None:
            seeds = _one_per_worker("seed", seed, self.num_envs)
        for worker in workers:
            if seeds[worker] is not None:
                # gymnasium's generator, so that a seed gives the same episodes as in `TaskEnv`.
                rng, _ = gymnasium.utils.seeding.np_random(seeds[worker])
                self.simulator.rngs[worker] = rng
        self.simulator.reset(workers)
        self._is_reset = True
        return self.simulator.observation.copy(), {}

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Steps all workers, and starts the next episode of those whose episode ended."""
        step = self.simulator.step(_checked(actions, self.action_space, self._is_reset))
        info: dict[str, Any] = {}
        ended = step.terminated | step.truncated
        if ended.any():
            workers = np.flatnonzero(ended)
            for worker in workers:
                final = {"final_obs": step.observation[worker].copy(), "final_info": {}}
                info = self._add_info(info, final, worker)
            self.simulator.reset(workers)
        observation = self.simulator.observation.copy()
        return observation, step.reward, step.terminated, step.truncated, info


def _resolve(family: TaskFamily | str, options: dict[str, Any]) -> TaskFamily:
    render_mode = options.pop("render_mode", None)  # gymnasium passes it on
    if render_mode is not None:  # a TypeError, after which others, such as SB3, try without it
        raise TypeError(
            f"`render_mode` (={render_mode!r}) must be None: epg_tf draws in a process of its own, "
            "see `python -m epg_tf.render`."
        )
    max_steps = options.pop("max_episode_steps", None)  # from `make_vec`, never from `make`
    if max_steps is not None:
        raise TypeError(f"`max_episode_steps` (={max_steps}) must be None: the family sets it.")
    if isinstance(family, str):
        # gymnasium's loader of "module:name" strings loads any callable, so also a family's class.
        return cast(TaskFamily, load_env_creator(family)(**options))
    if options:
        raise ValueError(f"`family_options` (={options}) must be empty where `family` is a family.")
    return family


def _checked(action: Any, space: gymnasium.Space, is_reset: bool) -> np.ndarray:
    """Returns actions as an array; raises if there is no episode or their shape is wrong."""
    if not is_reset:
        raise gymnasium.error.ResetNeeded("`reset` must be called before `step`.")
    action = np.asarray(action)
    if action.shape != space.shape:
        raise ValueError(f"`action` (of shape {action.shape}) must be of shape {space.shape}.")
    return action


def _spaces(family: TaskFamily) -> tuple[gymnasium.spaces.Box, gymnasium.Space]:
    """Returns the observation space and the action space of one worker."""
    observation = gymnasium.spaces.Box(-np.inf, np.inf, (family.observation_size,), np.float64)
    if family.num_actions is not None:
        return observation, gymnasium.spaces.Discrete(family.num_actions)
    return observation, gymnasium.spaces.Box(-1.0, 1.0, (family.action_size,), np.float32)


def _one_per_worker(name: str, seed: Any, num_workers: int) -> list[Any]:
    if isinstance(seed, int | np.integer):
        return [int(seed) + worker for worker in range(num_workers)]
    seeds = list(seed)
    if len(seeds) != num_workers:
        raise ValueError(f"`{name}` (={seed}) must be one integer, or {num_workers} of them.")
    return seeds
