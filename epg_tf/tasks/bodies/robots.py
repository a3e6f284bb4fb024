"""Robots of the paper's second version, and two more of gymnasium's, as random bodies.

Rewards and terminations are those of gymnasium's version 5 unless a class says otherwise. With all
factors at 1 and gymnasium's gravity and frame skip the physics is the same too.
"""

import dataclasses

from epg_tf.tasks.bodies.random_body import RandomBody

_FACTORS = (0.5, 2.0)


@dataclasses.dataclass(frozen=True)
class RandomWalker(RandomBody):
    """Walkers, robots with two legs in a plane, with random bodies in random gravity.

    They are gymnasium's Walker2d-v5, rewarded for moving forward and not falling. They have the
    factors of `RandomHopper`. `describe` gives the details, `BodySettings` documents the
    attributes.
    """

    model: str = "walker2d_v5.xml"
    gravity: tuple[float, float] | None = (2.0, 20.0)
    mass: dict | tuple[float, float] | None = _FACTORS
    friction: dict | tuple[float, float] | None = _FACTORS
    thickness: dict | tuple[float, float] | None = _FACTORS
    skipped_positions: int = 1
    healthy_reward: float = 1.0
    control_cost: float = 1e-3
    healthy: dict | None = dataclasses.field(
        default_factory=lambda: {"rootz": (0.8, 2.0), "rooty": (-1.0, 1.0)}
    )


@dataclasses.dataclass(frozen=True)
class RandomHalfCheetah(RandomBody):
    """Half-cheetahs, robots with a spine and two legs in a plane, with random bodies.

    They are gymnasium's HalfCheetah-v5, rewarded for running forward; only the time limit ends an
    episode. `describe` gives the details, `BodySettings` documents the attributes.
    """

    model: str = "half_cheetah.xml"
    gravity: tuple[float, float] | None = (5.0, 15.0)
    mass: dict | tuple[float, float] | None = _FACTORS
    friction: dict | tuple[float, float] | None = _FACTORS
    strength: dict | tuple[float, float] | None = _FACTORS
    skipped_positions: int = 1
    velocity_bound: float | None = None
    control_cost: float = 0.1
    start_noise: float = 0.1
    frame_skip: int = 5


@dataclasses.dataclass(frozen=True)
class DirHalfCheetah(RandomBody):
    """Half-cheetahs of which half are rewarded for running backward.

    The body is gymnasium's. The observation does not show the direction, so the agent needs the
    reward, or a loss that sees it. `BodySettings` documents the attributes.
    """

    model: str = "half_cheetah.xml"
    directions: tuple[tuple[float, ...], ...] = ((-1.0, 0.0, 0.0), (1.0, 0.0, 0.0))
    skipped_positions: int = 1
    velocity_bound: float | None = None
    control_cost: float = 0.1
    start_noise: float = 0.1
    frame_skip: int = 5


@dataclasses.dataclass(frozen=True)
class RandomSwimmer(RandomBody):
    """Swimmers, three links in a viscous fluid, with random lengths, masses and motors.

    They are gymnasium's Swimmer-v5, rewarded for moving forward; only the time limit ends an
    episode. `describe` gives the details, `BodySettings` documents the attributes.
    """

    model: str = "swimmer.xml"
    length: dict | tuple[float, float] | None = (0.5, 1.5)
    mass: dict | tuple[float, float] | None = _FACTORS
    strength: dict | tuple[float, float] | None = _FACTORS
    skipped_positions: int = 2
    velocity_bound: float | None = None
    control_cost: float = 1e-4
    start_noise: float = 0.1


@dataclasses.dataclass(frozen=True)
class GoalAnt(RandomBody):
    """Ants, robots with four legs, rewarded for being close to a goal in front (x > 0).

    The body is gymnasium's Ant-v5. The observation is Ant-v5's without contact forces, then the
    vector to the goal. A fall or too high a jump ends the episode. A step's reward is 3 minus the
    distance to the goal in metres, minus a control cost; the 3 is there to make falling costly.
    `BodySettings` documents the attributes.
    """

    model: str = "ant.xml"
    goal: tuple[tuple[float, float], ...] | None = ((0.0, 3.0), (-3.0, 3.0))
    distance_cost: float = 1.0
    healthy_reward: float = 3.0
    control_cost: float = 0.1
    skipped_positions: int = 2
    velocity_bound: float | None = None
    healthy: dict | None = dataclasses.field(default_factory=lambda: {"root": (0.2, 1.0)})
    start_noise: float = 0.1
    frame_skip: int = 5
    time_limit: int = 200
