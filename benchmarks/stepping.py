"""Measures one library in the virtual environment of `against_libraries.py`."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any

import numpy as np

_STEPS, _TURNS = 128, 7


def main() -> None:
    """Measures the peer that the first argument asks for; prints a line of JSON."""
    asked = json.loads(sys.argv[1])
    distribution, make = _MAKERS[asked["peer"]]
    result: dict[str, Any] = {"version": metadata.version(distribution)}
    for robot, frame_skip in asked["frame_skips"].items():
        take_steps = make(robot.capitalize(), asked["num_envs"], frame_skip)
        take_steps()
        seconds = []
        for _ in range(_TURNS):
            start = time.perf_counter()
            take_steps()
            seconds.append(time.perf_counter() - start)
        result[robot] = asked["num_envs"] * _STEPS / float(np.median(seconds))
    print(json.dumps(result))


def _envpool(robot: str, num_envs: int, frame_skip: int) -> Callable[[], None]:
    import envpool  # pyright: ignore[reportMissingImports]

    envs = envpool.make(
        f"{robot}-v4",
        env_type="gymnasium",
        num_envs=num_envs,
        num_threads=len(os.sched_getaffinity(0)),
        frame_skip=frame_skip,
    )
    return _stepping(envs, num_envs)


def _sync_vector_env(robot: str, num_envs: int, frame_skip: int) -> Callable[[], None]:
    return _gymnasium(robot, num_envs, frame_skip, "sync")


def _async_vector_env(robot: str, num_envs: int, frame_skip: int) -> Callable[[], None]:
    return _gymnasium(robot, num_envs, frame_skip, "async")


def _gymnasium(robot: str, num_envs: int, frame_skip: int, how: str) -> Callable[[], None]:
    import gymnasium

    envs = gymnasium.make_vec(
        f"{robot}-v5", num_envs=num_envs, vectorization_mode=how, frame_skip=frame_skip
    )
    return _stepping(envs, num_envs)


def _stepping(envs: Any, num_envs: int) -> Callable[[], None]:
    """Returns a function that steps all environments, with actions drawn in advance."""
    envs.reset()
    size = (_STEPS, num_envs, envs.action_space.shape[-1])
    actions = np.random.default_rng(0).uniform(-1.0, 1.0, size).astype(np.float32)

    def take_steps() -> None:
        for action in actions:
            envs.step(action)

    return take_steps


def _stable_baselines3(robot: str, num_envs: int, frame_skip: int) -> Callable[[], None]:
    import gymnasium
    from stable_baselines3 import PPO  # pyright: ignore[reportMissingImports]
    from stable_baselines3.common.vec_env import (  # pyright: ignore[reportMissingImports]
        DummyVecEnv,
    )

    def make() -> gymnasium.Env:
        return gymnasium.make(f"{robot}-v5", frame_skip=frame_skip)

    model = PPO("MlpPolicy", DummyVecEnv([make] * num_envs), n_steps=_STEPS, device="cpu")
    _, callback = model._setup_learn(10**9)

    def take_steps() -> None:
        model.collect_rollouts(model.env, callback, model.rollout_buffer, _STEPS)

    return take_steps


_MAKERS = {
    "envpool": ("envpool", _envpool),
    "sync_vector_env": ("gymnasium", _sync_vector_env),
    "async_vector_env": ("gymnasium", _async_vector_env),
    "stable_baselines3": ("stable-baselines3", _stable_baselines3),
}


if __name__ == "__main__":
    main()
