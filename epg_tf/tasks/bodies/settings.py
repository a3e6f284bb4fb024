"""The settings of a random body."""

from __future__ import annotations

import dataclasses

import mujoco

from epg_tf.tasks import assets


@dataclasses.dataclass(frozen=True)
class BodySettings:
    """What differs from body to body, and what agents see, are rewarded for and end with.

    Factors are drawn independently, once per task, for every part that they are asked of: a range
    (low, high) for all parts, or ranges by name or pattern of names, such as
    `{'leg*': (0.5, 2.0), 'foot': (0.8, 1.2)}`, of which the first that fits counts.

    Attributes:
        model: The MJCF file: a path, or the name of one of gymnasium's, such as "walker2d_v5.xml".
        gravity: Range of the downward acceleration, m/s²; None for the model's own.
        mass: Factors on bodies' masses, with their inertias.
        friction: Factors on geoms' sliding frictions. Of two geoms that touch the larger counts.
        thickness: Factors on the radii of spheres, capsules and cylinders, whose masses stay.
        length: Factors on bodies' lengths, away from the joint that a body turns about: what is
            attached to it stays attached. Capsules and cylinders keep their radius, other shapes
            grow as they are, and masses follow, as MuJoCo's compiler has it.
        damping: Factors on joints' damping.
        gear: Factors on the strength of actuators.
        log_uniform: Which of these are uniform in their logarithm.
        skipped_positions: How many of the first positions are not observed.
        velocity_bound: Observed velocities are clipped to ± this; None to see them as they are.
        point: The body or site whose way counts; None for the first body.
        directions: Unit vectors of the rewarded velocity; each task asks for one, all equally
            likely, and does not show which.
        velocity_reward: Reward of a step per m/s in the task's direction.
        velocity_limit: Velocities beyond this, m/s, pay no more than it; None for no limit.
        healthy_reward: Reward of a step that ends in a healthy state.
        control_cost: Cost of a step per squared norm of the action as given.
        goal: Ranges of x and y (and z) of a goal, m, drawn with the task; observed as what leads
            from the point to it, after all else.
        distance_cost: Cost of a step per metre from the point to the goal.
        healthy: Ranges (low, high), either of which may be None, of joints' positions, m or rad, by
            the joints' names; a free joint's stands for its height. Outside an episode ends.
        start_noise: Positions and velocities at the start of an episode are the model's own and 0,
            plus or minus up to this, m, rad and per second.
        frame_skip: MuJoCo steps per environment step.
        time_limit: Environment steps after which an episode is truncated.
    """

    model: str
    gravity: tuple[float, float] | None = None
    mass: dict | tuple[float, float] | None = None
    friction: dict | tuple[float, float] | None = None
    thickness: dict | tuple[float, float] | None = None
    length: dict | tuple[float, float] | None = None
    damping: dict | tuple[float, float] | None = None
    gear: dict | tuple[float, float] | None = None
    log_uniform: tuple[str, ...] = ()
    skipped_positions: int = 0
    velocity_bound: float | None = 10.0
    point: str | None = None
    directions: tuple[tuple[float, ...], ...] = ((1.0, 0.0, 0.0),)
    velocity_reward: float = 1.0
    velocity_limit: float | None = None
    healthy_reward: float = 0.0
    control_cost: float = 0.0
    goal: tuple[tuple[float, float], ...] | None = None
    distance_cost: float = 0.0
    healthy: dict | None = None
    start_noise: float = 5e-3
    frame_skip: int = 4
    time_limit: int = 1000

    @property
    def nominal(self) -> mujoco.MjModel:
        """The body without any factor; shared, not to be written to."""
        return assets.nominal_model(self.model)
