"""The settings of a random body."""

from __future__ import annotations

import dataclasses
import math
from typing import Annotated

import mujoco

from epg_tf.checks import (
    FiniteNumber,
    NonNegativeNumber,
    PositiveInt,
    PositiveNumber,
    PositiveRange,
    Rule,
    Settings,
)
from epg_tf.tasks import assets

_BOUND = Rule(lambda bound: bound is None or bound > 0, "positive or None")
_BOX = Rule(
    lambda box: len(box) in (2, 3) and all(-math.inf < low <= high < math.inf for low, high in box),
    "two or three pairs (low, high) with low <= high",
)


@dataclasses.dataclass(frozen=True)
class BodySettings(Settings):
    """The random factors of a body, and its observation, reward and termination.

    Factors are drawn independently, once per task and part. A setting is a range (low, high) for
    all parts, or ranges by name or pattern of names: `{'leg*': (0.5, 2.0), 'foot': (0.8, 1.2)}`.
    The first pattern that fits a part counts.

    Attributes:
        model: The MJCF file: a path, or the name of one of gymnasium's, such as "walker2d_v5.xml".
        model_hash: The fingerprint of a user's own model, which sets itself. Runs and exports
            record it, and refuse a model that has been edited since.
        gravity: Range of the downward acceleration, m/s²; None keeps the model's.
        mass: Factors on bodies' masses, with their inertias.
        friction: Factors on geoms' sliding frictions. If two geoms touch, the larger one counts.
        thickness: Factors on the radii of spheres, capsules and cylinders; masses stay the same.
        length: Factors on bodies' lengths. A body grows away from the joint that it turns about,
            and its children stay attached. Capsules and cylinders keep their radius; other shapes
            keep their proportions. Masses follow the geometry.
        damping: Factors on joints' damping.
        strength: Factors on the forces of actuators: on the gear of motors, on the gains and force
            limits of servos, on the peak forces of muscles.
        kp: Factors on the stiffness of servos that hold a position.
        kd: Factors on the damping of servos, and on the gain of those that hold a velocity.
        log_uniform: The names of the quantities above that are uniform in their logarithm.
        skipped_positions: The number of first positions that are not observed.
        velocity_bound: Observed velocities are clipped to ± this; None for no clipping.
        point: The body or site whose velocity and distance count; None for the first body.
        directions: Unit vectors of the rewarded velocity. Each task has one, all equally likely,
            and the observation does not show it.
        velocity_reward: Reward of a step per m/s in the task's direction; None for 1, or 0 if there
            is a goal.
        velocity_limit: The highest rewarded velocity, m/s; None for no limit.
        healthy_reward: Reward of a step that ends in a healthy state.
        control_cost: Cost of a step per squared norm of the action as given.
        goal: Ranges of x and y (and z) of a goal, m, drawn once per task. An observation ends with
            the vector from the point to the goal.
        distance_cost: Cost of a step per metre from the point to the goal.
        healthy: Ranges (low, high) by names; None is no bound. Leaving any range ends the episode.
            A joint's is of its position, m or rad; a free joint's, a body's and a site's of the
            height, m; that of "upright" of the cosine of the tilt of `point`'s body. A joint
            without a name is called by its id, such as "joint0".
        start: The keyframe in which episodes start; None for the model's positions. Actions are
            then offsets from the keyframe's controls.
        action_scale: The offset for an action of 1, in units of the controls; None for half of an
            actuator's range.
        start_noise: An episode starts at these positions and at rest, plus or minus up to this in
            each number, m, rad and per second.
        start_velocity_noise: The same for velocities alone; None for `start_noise`.
        start_rotation_noise: The same for the quaternions of free and ball joints; None for
            `start_noise`.
        hides_activations: True to accept muscles and filtered actuators, whose activations are
            states that agents do not see.
        frame_skip: MuJoCo steps per environment step.
        time_limit: Environment steps after which an episode is truncated.
    """

    model: str
    gravity: PositiveRange | None = None
    mass: dict | tuple[float, float] | None = None
    friction: dict | tuple[float, float] | None = None
    thickness: dict | tuple[float, float] | None = None
    length: dict | tuple[float, float] | None = None
    damping: dict | tuple[float, float] | None = None
    strength: dict | tuple[float, float] | None = None
    kp: dict | tuple[float, float] | None = None
    kd: dict | tuple[float, float] | None = None
    log_uniform: tuple[str, ...] = ()
    skipped_positions: int = 0
    velocity_bound: Annotated[float | None, _BOUND] = 10.0
    point: str | None = None
    directions: tuple[tuple[float, ...], ...] = ((1.0, 0.0, 0.0),)
    velocity_reward: FiniteNumber | None = None
    velocity_limit: Annotated[float | None, _BOUND] = None
    healthy_reward: NonNegativeNumber = 0.0
    control_cost: NonNegativeNumber = 0.0
    goal: Annotated[tuple[tuple[float, float], ...], _BOX] | None = None
    distance_cost: NonNegativeNumber = 0.0
    healthy: dict | None = None
    start: str | None = None
    action_scale: PositiveNumber | None = None
    start_noise: NonNegativeNumber = 5e-3
    start_velocity_noise: NonNegativeNumber | None = None
    start_rotation_noise: NonNegativeNumber | None = None
    hides_activations: bool = False
    frame_skip: PositiveInt = 4
    time_limit: PositiveInt = 1000
    model_hash: str | None = None

    def __post_init__(self):
        if self.velocity_reward is None:  # runs and exports record the number
            object.__setattr__(self, "velocity_reward", 1.0 if self.goal is None else 0.0)
        super().__post_init__()

    @property
    def nominal(self) -> mujoco.MjModel:
        """The body without factors; it is shared, so do not write to it."""
        return assets.nominal_model(self.model)

    @property
    def start_state(self) -> mujoco.MjData:
        """The nominal body in the keyframe that episodes start in, with its points in place."""
        data = mujoco.MjData(self.nominal)
        if self.start is not None:
            mujoco.mj_resetDataKeyframe(self.nominal, data, self.nominal.key(self.start).id)
        mujoco.mj_kinematics(self.nominal, data)
        return data
