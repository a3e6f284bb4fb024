"""Pictures of tasks' states: what they show, and from where."""

import mujoco
import numpy as np
import pytest

from epg_tf.rendering.travel import travelling_coordinate
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.hopper import DirHopper, RandomHopper
from epg_tf.tasks.reacher import RandomReacher
from epg_tf.tasks.simulator import BatchSimulator

SIDE = 96


def start(family, num_workers):
    """Tasks and their models, and the states that their first episodes start from."""
    tasks = [family.sample(seed) for seed in range(num_workers)]
    rngs = [np.random.default_rng(seed) for seed in range(num_workers)]
    return tasks, [task.model for task in tasks], BatchSimulator(family, tasks, rngs).state.copy()


def draw(renderer, worker, state):
    (picture,) = renderer.draw([worker], state[None])
    return picture


def is_red(picture):
    """Where Reacher's target is."""
    red, green, blue = picture.astype(int).transpose(2, 0, 1)
    return (red > 100) & (green < red // 2) & (blue < red // 2)


def is_orange(picture):
    """Where a hopper is; sky and floor are bluish or grey."""
    red, _, blue = picture.astype(int).transpose(2, 0, 1)
    return red - blue > 40


def test_a_picture_changes_with_the_state_and_with_nothing_else(render_process):
    _, models, states = start(RandomReacher(), 2)
    with render_process.renderer(models, SIDE, 64) as renderer:
        renderer.look_at(list(states[:, None]))
        first = draw(renderer, 0, states[0])
        assert first.shape == (64, SIDE, 3)
        assert first.dtype == np.uint8
        other, again = renderer.draw([1, 0], states[[1, 0]])
        assert (first != other).any()
        np.testing.assert_array_equal(again, first)
        bent = states[0].copy()
        bent[1 + 1] += 1.0  # the elbow
        assert (draw(renderer, 0, bent) != first).mean() > 0.01


def test_reachers_target_is_visible_wherever_it_is(render_process):
    tasks, models, states = start(RandomReacher(), 1)
    places = np.repeat(states, 4, axis=0)
    reach = tasks[0].parameters["farthest_target"]
    places[:, 3:5] = reach * np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
    with render_process.renderer(models, SIDE, SIDE) as renderer:
        renderer.look_at([places])
        for picture, (x, y) in zip(renderer.draw([0] * 4, places), places[:, 3:5], strict=True):
            rows, columns = np.nonzero(is_red(picture))
            assert len(rows) >= 4
            # x points to the right and y upwards.
            towards = np.array([columns.mean() - SIDE / 2, SIDE / 2 - rows.mean()])
            assert towards @ (x, y) > 0.8 * np.linalg.norm(towards) * np.hypot(x, y)


@pytest.mark.parametrize("family", [RandomHopper(), DiscreteActions(RandomHopper())])
def test_the_whole_hopper_is_visible_and_the_camera_goes_along(family, render_process):
    _, models, states = start(family, 3)
    with render_process.renderer(models, SIDE, SIDE) as renderer:
        renderer.look_at(list(states[:, None]))
        for worker, state in enumerate(states):
            here = is_orange(draw(renderer, worker, state))
            rows, columns = np.nonzero(here)
            assert rows.max() - rows.min() > 0.6 * SIDE
            assert 1 < rows.min() < rows.max() < SIDE - 2
            assert 1 < columns.min() < columns.max() < SIDE - 2
            state[1] += 7.3  # m along x
            there = is_orange(draw(renderer, worker, state))
            assert (here != there).mean() < 0.01


def test_robots_that_travel_are_told_from_those_that_do_not():
    assert travelling_coordinate(DirHopper().sample(0).model) == 0
    assert travelling_coordinate(RandomReacher().sample(0).model) is None
    two = mujoco.MjModel.from_xml_string("""
        <mujoco><worldbody>
          <body><joint type="hinge"/><geom size="0.1"/></body>
          <body><freejoint/><geom size="0.1"/></body>
        </worldbody></mujoco>""")
    assert travelling_coordinate(two) == 1


def test_what_nothing_can_move_is_drawn_too(render_process):
    model = mujoco.MjModel.from_xml_string(
        '<mujoco><worldbody><geom size="0.1" rgba="1 0 0 1"/></worldbody></mujoco>'
    )
    with render_process.renderer([model], SIDE, SIDE) as renderer:
        assert is_red(draw(renderer, 0, np.zeros(1))).mean() > 0.2
