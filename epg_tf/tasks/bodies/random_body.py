"""RandomBody: any MuJoCo model as a family of tasks, by settings alone.

Settings choose the parts that vary, and the terms of observation, reward and termination.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import mujoco
import numpy as np

from epg_tf.native.rules import observe_all
from epg_tf.tasks import assets
from epg_tf.tasks.bodies import building, requirements, words
from epg_tf.tasks.bodies.chain import chain
from epg_tf.tasks.bodies.factors import PARTS, draw, parts, ranges
from epg_tf.tasks.bodies.requirements import UPRIGHT
from epg_tf.tasks.bodies.rules import Layout, observe_one, point_one, terminated_one
from epg_tf.tasks.bodies.settings import BodySettings
from epg_tf.tasks.family import Description, Parameters, Task, TaskFamily
from epg_tf.tasks.rules import Rules


@dataclasses.dataclass(frozen=True)
class RandomBody(BodySettings, TaskFamily):
    """Robots of one MJCF file with random parts; `BodySettings` documents the attributes.

    An action of 1 is the highest control of its actuator and -1 the lowest. If the actuator has no
    range, the action is the control. `start` makes actions offsets. `describe` gives the details.
    """

    def __post_init__(self):
        super().__post_init__()
        requirements.check(self)
        object.__setattr__(self, "model_hash", assets.fingerprint(self.model))

    @property
    def observation_size(self) -> int:
        """The number of observed positions, velocities and goal coordinates."""
        model = self.nominal
        return model.nq - self.skipped_positions + model.nv + len(self.goal or ())

    @property
    def action_size(self) -> int:
        """The number of actuators."""
        return self.nominal.nu

    def describe(self) -> Description:
        """Describes draws, observation, reward and termination."""
        return words.describe(self)

    def draw(self, rng: np.random.Generator) -> Task:
        """Draws the body's factors, gravity, direction and goal, and builds the model."""
        nominal = self.nominal
        gravity = None
        if self.gravity is not None:
            gravity = draw(rng, self.gravity, "gravity" in self.log_uniform)
        factors = {
            name: {
                number: draw(rng, bounds, name in self.log_uniform)
                for number, bounds in ranges(getattr(self, name), parts(nominal, name)).items()
            }
            for name in PARTS
        }
        # Drawn last, so that a seed's body does not depend on directions and goal.
        heading = np.array(self.directions[rng.integers(len(self.directions))])
        goal = np.array([rng.uniform(*bounds) for bounds in self.goal or ()])
        model = building.build(self.model, gravity, factors, goal if len(goal) else None)
        body, place = self._point_of(model)
        to_point = chain(model, body, place)
        is_reshaped = self.length is not None or self.thickness is not None
        address, height = (
            building.lift(model, nominal, self.start_state) if is_reshaped else (-1, 0.0)
        )
        layout = Layout(
            skipped=self.skipped_positions,
            positions=model.nq,
            velocities=model.nv,
            bound=math.inf if self.velocity_bound is None else self.velocity_bound,
            ranges=len(self.healthy or {}),
            goal=len(goal),
            segments=len(to_point),
        )
        drawn = {
            name: np.array([*by_part.values()]) for name, by_part in factors.items() if by_part
        }
        parameters = drawn | {
            "gravity": -model.opt.gravity[2],
            "_heading": heading,
            "direction": heading[0],
            "goal": goal,
            "_lift": np.array([address, height]),
            "seconds_per_step": self.frame_skip * model.opt.timestep,
            "_layout": np.array(layout, float),
            "_healthy": self._healthy_ranges,
            "_heights": np.concatenate([np.empty(0), *self._heights(model)]),
            "_chain": to_point,
        }
        return Task(model, parameters)

    def initial_state(self, task: Task, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draws a state near the model's, near rest, as far from the floor as the nominal body."""
        model = task.model
        address, height = np.asarray(task.parameters["_lift"])
        start, (of_qpos, of_qvel) = self._start
        qpos = (model.qpos0 if self.start is None else start) + (
            rng.uniform(-1.0, 1.0, model.nq) * of_qpos
        )
        qvel = rng.uniform(-1.0, 1.0, model.nv) * of_qvel
        if address >= 0:
            qpos[int(address)] += height
        mujoco.mj_normalizeQuat(model, qpos)
        return qpos, qvel

    @property
    def rules(self) -> Rules:
        """`observe` and `terminated` for one worker, to be compiled."""
        known = ("_layout", "_healthy", "_chain", "goal", "_heights")
        return Rules(observe_one, terminated_one, known, self._controls)

    def reward(self, qpos_before, qpos, qvel, observation, action, parameters) -> np.ndarray:
        """Returns rewards for velocity and health minus costs of control and distance to goal."""
        reward = -self.control_cost * np.einsum("wa,wa->w", action, action, dtype=np.float64)
        if self.velocity_reward:
            way = self._points(qpos, parameters) - self._points(qpos_before, parameters)
            distance = np.einsum("wi,wi->w", way, parameters["_heading"])
            velocity = distance / parameters["seconds_per_step"]
            if self.velocity_limit is not None:
                velocity = np.minimum(velocity, self.velocity_limit)
            reward += self.velocity_reward * velocity
        if self.healthy_reward:
            reward += self.healthy_reward * ~self.terminated(qpos, qvel, parameters)
        if self.distance_cost and self.goal is not None:
            to_goal = observation[:, -len(self.goal) :]
            reward -= self.distance_cost * np.sqrt(np.einsum("wi,wi->w", to_goal, to_goal))
        return reward

    def control(self, action: np.ndarray) -> np.ndarray:
        """Maps actions from [-1, 1] to the actuators' ranges."""
        middle, half = self._controls
        return action if (half == 1.0).all() and not middle.any() else middle + half * action

    @functools.cached_property
    def _controls(self) -> tuple[np.ndarray, np.ndarray]:
        """The middles and half-widths of the actuators' ranges; 0 and 1 for no range."""
        model = self.nominal
        low, high = np.where(
            model.actuator_ctrllimited, model.actuator_ctrlrange.T, [[-1.0], [1.0]]
        )
        middle, half = (low + high) / 2, (high - low) / 2
        if self.start is not None:
            middle = np.array(model.key(self.start).ctrl)
        return middle, half if self.action_scale is None else np.full(model.nu, self.action_scale)

    @functools.cached_property
    def _start(self) -> tuple[np.ndarray, tuple[np.ndarray, float]]:
        """The positions that episodes start at, and the noise in each position and velocity."""
        model, noise = self.nominal, np.full(self.nominal.nq, self.start_noise)
        for kind, first in ((mujoco.mjtJoint.mjJNT_FREE, 3), (mujoco.mjtJoint.mjJNT_BALL, 0)):
            for address in model.jnt_qposadr[model.jnt_type == kind.value] + first:
                if self.start_rotation_noise is not None:
                    noise[address : address + 4] = self.start_rotation_noise
        velocity = self.start_velocity_noise
        velocity = self.start_noise if velocity is None else velocity
        return self.start_state.qpos.copy(), (noise, velocity)

    def _points(self, qpos: np.ndarray, parameters: Parameters) -> np.ndarray:
        """Returns the positions of the workers' points, [W, 3]."""
        points = np.empty((len(qpos), 3))
        observe_all(point_one, (qpos, qpos, self.rules.known(parameters, len(qpos))), points)
        return points

    @functools.cached_property
    def _healthy_ranges(self) -> np.ndarray:
        """Address, lowest and highest healthy value, [ranges, 3]; see `rules` on addresses."""
        rows, model, next_height = [], self.nominal, -1
        heights = iter(self._heights(model))
        for name, (low, high) in (self.healthy or {}).items():
            address = requirements.height_or_angle(model, name)
            if address is None:
                address = next_height
                next_height -= len(next(heights))
            low, high = (-math.inf if low is None else low, math.inf if high is None else high)
            rows.append([address, low, high])
        return np.array(rows, float).reshape(-1, 3)

    def _heights(self, model: mujoco.MjModel) -> list[np.ndarray]:
        """Returns the heights among the healthy ranges, as `rules` reads them."""
        heights = []
        for name in self.healthy or {}:
            if requirements.height_or_angle(model, name) is not None:
                continue
            body, place = self._point_of(model) if name == UPRIGHT else _place(model, name)
            # The cosine of a tilt is the height of a point one metre up, less that of the origin.
            ends = [place] if name != UPRIGHT else [np.array([0.0, 0.0, 1.0]), np.zeros(3)]
            chains = [chain(model, body, end) for end in ends]
            counts = [len(chains[0]), len(chains[1]) if name == UPRIGHT else 0]
            heights.append(np.concatenate([counts, *(each.ravel() for each in chains)]))
        return heights

    def _point_of(self, model: mujoco.MjModel) -> tuple[int, np.ndarray]:
        """Returns the body that the point is fixed to, and the point in its frame, [3]."""
        return (1, np.zeros(3)) if self.point is None else _place(model, self.point)


def _place(model: mujoco.MjModel, name: str) -> tuple[int, np.ndarray]:
    """Returns the body of a body or site, and the place in its frame, [3]."""
    body = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, name)
    if body >= 0:
        return body, np.zeros(3)
    site = model.site(name)
    return int(site.bodyid[0]), np.array(site.pos)
