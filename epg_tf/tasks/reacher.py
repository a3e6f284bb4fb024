"""RandomReacher: a two-link arm with random link lengths reaches for a point (section 4.1).

The rules are those of gymnasium's Reacher-v5. At nominal lengths the physics is the same too. The
distribution of targets differs, and so does the fingertip's position (see `RandomReacher`).
"""

import cmath
import dataclasses
import math
from typing import Annotated

import numpy as np

from epg_tf.checks import PositiveRange, Rule, Settings
from epg_tf.tasks import assets
from epg_tf.tasks.family import Description, Quantity, Task, TaskFamily, uniform
from epg_tf.tasks.rules import Rules

_FILE = "reacher.xml"
_LINK = 0.1  # m, nominal length of either link
_FINGERTIP_OFFSET = 0.01  # m, the fingertip's centre beyond the end of the second link


@dataclasses.dataclass(frozen=True)
class RandomReacher(Settings, TaskFamily):
    """Reachers with random link lengths; `describe` says what is drawn, seen and rewarded.

    gymnasium reads the fingertip from `xpos`, which MuJoCo leaves at an intermediate stage of the
    last substep (Gymnasium issue 1690). Here it is computed from the new joint angles. So the
    observation's last two numbers and the reward differ from gymnasium's by the motion in a
    fraction of a substep.

    Attributes:
        link_length: Range of the factor on each link's length.
        target_angle: Range of the targets' direction, rad from the x axis.
    """

    link_length: PositiveRange = (0.5, 1.5)
    target_angle: Annotated[
        tuple[float, float],
        Rule(
            lambda ends: -math.inf < ends[0] <= ends[1] < math.inf,
            "a pair (low, high) with low <= high",
        ),
    ] = (0.0, 2 * math.pi)

    observation_size = 10
    action_size = 2
    frame_skip = 2
    time_limit = 50

    def describe(self) -> Description:
        """Describes draws, observation, reward and termination."""
        low, high = self.target_angle
        side = f", between {low:g} and {high:g} rad" if high - low < 2 * math.pi else ""
        return Description(
            "Reachers, arms of two links in a plane, with random link lengths.",
            (
                Quantity(
                    "length of each link",
                    f"nominal length, {_LINK:g} m",
                    f"{uniform(self.link_length)}, one factor per link",
                ),
                Quantity(
                    "target, at every reset",
                    "m",
                    "uniform over the area of the annulus within reach" + side,
                ),
                Quantity("start of both joints, at every reset", "rad", "U(-0.1, 0.1)"),
                Quantity("start of both joint velocities", "rad/s", "U(-0.005, 0.005)"),
            ),
            "10 numbers: cosines of both joint angles, their sines, the target's x and y (m), both "
            "joint velocities (rad/s), and fingertip minus target in x and y (m).",
            "Minus the distance from fingertip to target (m), minus the squared norm of the action "
            "as given, not clipped.",
            f"Never by itself; it is truncated after {self.time_limit} steps.",
            (
                "A link's mass and inertia follow its geometry, at gymnasium's density. The "
                "annulus reaches from the closest the fingertip comes to the shoulder, with the "
                "elbow at its limit of 3.0 rad, out to the summed length of the links (for nominal "
                "links gymnasium's 0.2 m).",
            ),
        )

    def draw(self, rng: np.random.Generator) -> Task:
        """Draws both factors and builds the arm."""
        factors = rng.uniform(*self.link_length, size=2)
        upper, lower = _LINK * factors
        spec = assets.specification(_FILE)
        spec.geom("link0").fromto = [0, 0, 0, upper, 0, 0]
        spec.geom("link1").fromto = [0, 0, 0, lower, 0, 0]
        spec.body("body1").pos = [upper, 0, 0]
        spec.body("fingertip").pos = [lower + _FINGERTIP_OFFSET, 0, 0]
        reach = float(upper + lower)
        for name in ("target_x", "target_y"):
            # The target hangs on slide joints whose limits would push a far target back.
            slide = spec.joint(name)
            slide.range = [min(slide.range[0], -reach), max(slide.range[1], reach)]
        model = spec.compile()
        forearm = float(lower + _FINGERTIP_OFFSET)
        elbow_limit = float(model.joint("joint1").range[1])
        parameters = {
            "link_length": factors,
            "upper_arm": float(upper),
            "forearm": forearm,
            "nearest_target": abs(upper + forearm * cmath.exp(1j * elbow_limit)),
            "farthest_target": reach,
        }
        return Task(model, parameters)

    def initial_state(self, task: Task, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draws joint angles and velocities as Reacher-v5 does, and the target."""
        near, far = task.parameters["nearest_target"], task.parameters["farthest_target"]
        # Targets are uniform over the area, which grows with the squared radius.
        radius = np.sqrt(rng.uniform(near**2, far**2))
        angle = rng.uniform(*self.target_angle)
        qpos, qvel = np.zeros(4), np.zeros(4)
        qpos[:2] = rng.uniform(-0.1, 0.1, size=2)
        qpos[2] = radius * np.cos(angle)
        qpos[3] = radius * np.sin(angle)
        qvel[:2] = rng.uniform(-0.005, 0.005, size=2)
        return qpos, qvel

    @property
    def rules(self) -> Rules:
        """`observe` and `terminated` for one worker, to be compiled."""
        return Rules(_observe, _never, ("upper_arm", "forearm"))

    def reward(self, qpos_before, qpos, qvel, observation, action, parameters) -> np.ndarray:
        """Returns minus the distance to the target, minus the squared norm of the action."""
        to_target = np.ascontiguousarray(observation[:, 8:10]).view(np.complex128)[:, 0]
        return -np.abs(to_target) - np.einsum("wa,wa->w", action, action, dtype=np.float64)


def _observe(qpos, qvel, parameters, out):
    shoulder, elbow = qpos[0], qpos[1]
    out[0], out[1] = math.cos(shoulder), math.cos(elbow)
    out[2], out[3] = math.sin(shoulder), math.sin(elbow)
    out[4], out[5] = qpos[2], qpos[3]
    out[6], out[7] = qvel[0], qvel[1]
    # The fingertip in the upper arm's frame, which is then rotated by the shoulder's angle.
    x = parameters[0] + parameters[1] * out[1]
    y = parameters[1] * out[3]
    out[8] = out[0] * x - out[2] * y - qpos[2]
    out[9] = out[0] * y + out[2] * x - qpos[3]


def _never(qpos, qvel, parameters):
    return False
