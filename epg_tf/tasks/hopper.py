"""RandomHopper and DirHopper: one-legged robots with random bodies and gravity (section 4.1).

The body is gymnasium's Hopper-v5, changed in four independent ways. There are two reward rules: the
one in the code that the paper's authors released, and Hopper-v5's.
"""

import abc
import dataclasses
from typing import ClassVar, Literal

import mujoco
import numpy as np

from epg_tf.checks import NonNegativeNumber, PositiveInt, PositiveRange, Settings
from epg_tf.tasks.bodies.building import build
from epg_tf.tasks.family import Description, Quantity, Task, TaskFamily, uniform
from epg_tf.tasks.rules import Rules

_FILE = "hopper.xml"
_NUM_PARTS = 4  # torso, thigh, leg and foot, with a geom each
_START_NOISE = 5e-3  # m, rad and their rates, as Hopper-v5
_CLEARANCE = 0.015  # m; the start noise takes up to 0.0105 m, and the nominal foot has 0.04 m


@dataclasses.dataclass(frozen=True)
class _Hopper(Settings, TaskFamily, abc.ABC):
    """The common part of both families; `RandomHopper` documents the attributes."""

    gravity: PositiveRange = (2.0, 20.0)
    mass: PositiveRange = (0.5, 2.0)
    friction: PositiveRange = (0.5, 2.0)
    thickness: PositiveRange = (0.5, 2.0)
    frame_skip: PositiveInt = 2
    reward_rule: Literal["velocity", "gymnasium"] = "velocity"
    healthy_reward: NonNegativeNumber = 1.0

    observation_size = 11
    action_size = 3
    time_limit = 1000

    # The possible directions of a task's rewarded velocity, all equally likely.
    directions: ClassVar[tuple[float, ...]]

    def describe(self) -> Description:
        """Describes draws, observation, reward and termination."""
        both_ways = len(self.directions) > 1
        drawn = [
            Quantity("gravity, downwards", "m/s²", uniform(self.gravity)),
            Quantity(
                "mass of each body, its inertia with it",
                "nominal",
                f"{uniform(self.mass)}, one factor per body",
            ),
            Quantity(
                "sliding friction of each robot geom",
                "nominal",
                f"{uniform(self.friction)}, one factor per geom",
            ),
            Quantity(
                "thickness (capsule radius) of each robot geom",
                "nominal",
                f"{uniform(self.thickness)}, one factor per geom",
            ),
            Quantity(
                "start of every position and velocity", "m, rad, 1/s", "nominal + U(-0.005, 0.005)"
            ),
        ]
        if both_ways:
            sign = "sign of the rewarded velocity"
            drawn.insert(0, Quantity("direction", sign, "-1 or 1, equally likely"))
        velocity = "Velocity in the task's direction" if both_ways else "Forward velocity"
        if self.reward_rule == "velocity":
            reward = f"{velocity} (m/s), as in the code released in 2018."
            end = "At a height of 0.7 m or less, or a torso angle of 0.5 rad or more"
        else:
            reward = (
                f"{velocity} (m/s) + {self.healthy_reward:g} while healthy - 0.001 times the "
                "squared norm of the action, as Hopper-v5's."
            )
            end = "When height, angle (0.2 rad) or any other state leaves its healthy range"
        return Description(
            "Hoppers, robots with one leg, with random bodies in random gravity, rewarded for "
            f"moving {'forward or, half of them, backward' if both_ways else 'forward'}.",
            tuple(drawn),
            "11 numbers: height (m), torso angle, three joint angles (rad), and the six velocities "
            "clipped to ±10; not the forward position, and none of the drawn quantities.",
            reward,
            f"{end}; otherwise it is truncated after {self.time_limit} steps.",
            (
                "All factors are independent: thickness changes the geometry alone, and a body's "
                "mass and inertia are its nominal ones times one factor. The floor keeps its "
                "friction of 1, and MuJoCo takes the larger of the two of a contact: the foot, "
                "nominally 2, slides with U(1, 4), and the other parts, nominally 0.9, with at "
                "least 1. A body so thick that it would begin inside the floor begins that much "
                "higher.",
            ),
        )

    def draw(self, rng: np.random.Generator) -> Task:
        """Draws the body, gravity and direction, and builds the model."""
        gravity = rng.uniform(*self.gravity)
        drawn = {
            name: rng.uniform(*getattr(self, name), size=_NUM_PARTS)
            for name in ("mass", "friction", "thickness")
        }
        # Drawn last, so that both families have the same body for the same seed.
        direction = self.directions[rng.integers(len(self.directions))]
        # The world body and the floor are number 0.
        factors = {name: dict(enumerate(values, 1)) for name, values in drawn.items()}
        model = build(_FILE, gravity, factors)
        parameters = {
            "gravity": gravity,
            **drawn,
            "direction": direction,
            "lift": _lift(model),
            "seconds_per_step": self.frame_skip * model.opt.timestep,
        }
        return Task(model, parameters)

    def initial_state(self, task: Task, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draws a state near upright and at rest as Hopper-v5 does, lifted off the floor."""
        model = task.model
        qpos = model.qpos0 + rng.uniform(-_START_NOISE, _START_NOISE, size=model.nq)
        qvel = rng.uniform(-_START_NOISE, _START_NOISE, size=model.nv)
        qpos[1] += task.parameters["lift"]
        return qpos, qvel

    @property
    def rules(self) -> Rules:
        """`observe` and `terminated` for one worker, to be compiled."""
        return Rules(_observe, _falls if self.reward_rule == "velocity" else _is_unhealthy)

    def reward(self, qpos_before, qpos, qvel, observation, action, parameters) -> np.ndarray:
        """Returns the velocity in the task's direction, m/s; Hopper-v5's rule has more terms."""
        distance = (qpos[:, 0] - qpos_before[:, 0]) * parameters["direction"]
        velocity = distance / parameters["seconds_per_step"]
        if self.reward_rule == "velocity":
            return velocity
        cost = 1e-3 * np.einsum("wa,wa->w", action, action, dtype=np.float64)
        healthy = ~self.terminated(qpos, qvel, parameters)
        return velocity + self.healthy_reward * healthy - cost


@dataclasses.dataclass(frozen=True)
class RandomHopper(_Hopper):
    """Hoppers with random bodies in random gravity, rewarded for moving forward.

    `describe` says what is drawn, seen and rewarded.

    Attributes:
        gravity: Range of the downward acceleration, m/s².
        mass: Range of the factor on each body's mass and inertia.
        friction: Range of the factor on each robot geom's sliding friction.
        thickness: Range of the factor on each robot geom's radius.
        frame_skip: MuJoCo steps of 0.002 s per environment step: 2 in the 2018 code, 4 in
            Hopper-v5.
        reward_rule: "velocity" for the rule of the 2018 code, "gymnasium" for Hopper-v5's.
        healthy_reward: Reward of each healthy step in the rule "gymnasium", 1 in Hopper-v5. With
            less, a search that has found standing goes on to walking.
    """

    directions = (1.0,)


@dataclasses.dataclass(frozen=True)
class DirHopper(_Hopper):
    """Random hoppers of which half are rewarded for moving backward.

    The observation does not show the direction, so the agent needs the reward, or a loss that sees
    it (Figure 7). Attributes are those of `RandomHopper`.
    """

    directions = (-1.0, 1.0)


def _lift(model: mujoco.MjModel) -> float:
    """Returns how far the upright robot must be raised to clear the floor, in metres."""
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    radius, half_length = model.geom_size[1:, 0], model.geom_size[1:, 1]
    # A capsule's axis is its frame's z; entry 8 of the rotation matrix is its vertical component.
    drop = np.abs(data.geom_xmat[1:, 8]) * half_length + radius
    lowest = np.min(data.geom_xpos[1:, 2] - drop)
    return max(0.0, _CLEARANCE - float(lowest))


def _observe(qpos, qvel, parameters, out):
    for i in range(6):
        if i > 0:
            out[i - 1] = qpos[i]
        out[5 + i] = min(max(qvel[i], -10.0), 10.0)


def _falls(qpos, qvel, parameters):
    return not (qpos[1] > 0.7 and abs(qpos[2]) < 0.5)


def _is_unhealthy(qpos, qvel, parameters):
    healthy = qpos[1] > 0.7 and abs(qpos[2]) < 0.2
    for i in range(6):
        healthy = healthy and (i < 2 or abs(qpos[i]) < 100.0) and abs(qvel[i]) < 100.0
    return not healthy
