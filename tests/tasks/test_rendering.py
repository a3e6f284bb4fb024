"""Pictures of states: what they show, from where, and what is said where nothing can be drawn."""

import os
import subprocess
import sys

import mujoco
import numpy as np
import pytest

from epg_tf.tasks import opengl
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.family import Task
from epg_tf.tasks.hopper import DirHopper, RandomHopper
from epg_tf.tasks.reacher import RandomReacher
from epg_tf.tasks.rendering import BatchRenderer, travelling_coordinate
from epg_tf.tasks.simulator import BatchSimulator

SIDE = 96


@pytest.fixture(scope="module", autouse=True)
def gl():
    try:
        return opengl.choose()
    except ValueError as error:
        pytest.skip(f"{error}")


def start(family, num_workers):
    """Tasks, and the states that their first episodes start from."""
    tasks = [family.sample(seed) for seed in range(num_workers)]
    rngs = [np.random.default_rng(seed) for seed in range(num_workers)]
    return tasks, BatchSimulator(family, tasks, rngs).state.copy()


def is_red(picture):
    """Where Reacher's target is."""
    red, green, blue = picture.astype(int).transpose(2, 0, 1)
    return (red > 100) & (green < red // 2) & (blue < red // 2)


def is_orange(picture):
    """Where a hopper is; sky and floor are bluish or grey."""
    red, _, blue = picture.astype(int).transpose(2, 0, 1)
    return red - blue > 40


def test_a_picture_changes_with_the_state_and_with_nothing_else():
    tasks, states = start(RandomReacher(), 2)
    with BatchRenderer(tasks, SIDE, 64) as renderer:
        renderer.look_at(list(states[:, None]))
        first = renderer.draw(0, states[0])
        assert first.shape == (64, SIDE, 3)
        assert first.dtype == np.uint8
        other = renderer.draw(1, states[1])
        assert (first != other).any()
        np.testing.assert_array_equal(renderer.draw(0, states[0]), first)
        bent = states[0].copy()
        bent[1 + 1] += 1.0  # the elbow
        assert (renderer.draw(0, bent) != first).mean() > 0.01


def test_reachers_target_is_visible_wherever_it_is():
    tasks, states = start(RandomReacher(), 1)
    places = np.repeat(states, 4, axis=0)
    reach = tasks[0].parameters["farthest_target"]
    places[:, 3:5] = reach * np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
    with BatchRenderer(tasks, SIDE, SIDE) as renderer:
        renderer.look_at([places])
        for place, (x, y) in zip(places, places[:, 3:5], strict=True):
            rows, columns = np.nonzero(is_red(renderer.draw(0, place)))
            assert len(rows) >= 4
            # x points to the right and y upwards.
            towards = np.array([columns.mean() - SIDE / 2, SIDE / 2 - rows.mean()])
            assert towards @ (x, y) > 0.8 * np.linalg.norm(towards) * np.hypot(x, y)


@pytest.mark.parametrize("family", [RandomHopper(), DiscreteActions(RandomHopper())])
def test_the_whole_hopper_is_visible_and_the_camera_goes_along(family):
    tasks, states = start(family, 3)
    with BatchRenderer(tasks, SIDE, SIDE) as renderer:
        renderer.look_at(list(states[:, None]))
        for worker, state in enumerate(states):
            here = is_orange(renderer.draw(worker, state))
            rows, columns = np.nonzero(here)
            assert rows.max() - rows.min() > 0.6 * SIDE
            assert 1 < rows.min() < rows.max() < SIDE - 2
            assert 1 < columns.min() < columns.max() < SIDE - 2
            state[1] += 7.3  # m along x
            there = is_orange(renderer.draw(worker, state))
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


def test_what_nothing_can_move_is_drawn_too():
    model = mujoco.MjModel.from_xml_string(
        '<mujoco><worldbody><geom size="0.1" rgba="1 0 0 1"/></worldbody></mujoco>'
    )
    with BatchRenderer([Task(model, {})], SIDE, SIDE) as renderer:
        assert is_red(renderer.draw(0, np.zeros(1))).mean() > 0.2


def test_after_drawing_a_process_ends_in_silence():
    program = """
import numpy as np
from epg_tf.tasks import opengl
opengl.choose()
from epg_tf.tasks.reacher import RandomReacher
from epg_tf.tasks.rendering import BatchRenderer
task = RandomReacher().sample(0)
with BatchRenderer([task], 32, 32) as renderer:
    renderer.draw(0, np.zeros(9))
"""
    environment = {k: v for k, v in os.environ.items() if k != "MUJOCO_GL"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# Which OpenGL; `__wrapped__` is the function without its memory.


@pytest.mark.parametrize(
    ("wanted", "working", "tried", "chosen"),
    [
        (None, {"egl", "osmesa"}, ["egl"], "egl"),
        ("", {"osmesa"}, ["egl", "osmesa"], "osmesa"),
        ("osmesa", {"egl", "osmesa"}, ["osmesa"], "osmesa"),
        ("EGL", {"egl", "osmesa"}, ["egl"], "egl"),
        ("on", {"glfw"}, ["glfw"], "glfw"),
    ],
)
def test_the_first_that_works_is_chosen_unless_the_user_chose(
    wanted, working, tried, chosen, monkeypatch
):
    attempts = []
    monkeypatch.setattr(opengl, "_works", lambda name: attempts.append(name) or name in working)
    monkeypatch.setenv("MUJOCO_GL", wanted or "")
    if wanted is None:
        monkeypatch.delenv("MUJOCO_GL")
    assert opengl.choose.__wrapped__() == chosen
    assert attempts == tried
    assert os.environ["MUJOCO_GL"] == chosen


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("", "EGL or OSMesa, and neither works here: install Debian's libegl1 and libgl1-mesa-dri"),
        ("osmesa", "`MUJOCO_GL` (=osmesa) must be what works here; it needs Debian's libosmesa6."),
        ("glfw", "`MUJOCO_GL` (=glfw) must be what works here; it needs a display."),
        ("off", "`MUJOCO_GL` (=off) must be egl, osmesa or glfw, or not be set."),
    ],
)
def test_what_to_install_is_said_where_none_works(wanted, says, monkeypatch):
    monkeypatch.setattr(opengl, "_works", lambda name: False)
    monkeypatch.setenv("MUJOCO_GL", wanted)
    with pytest.raises(ValueError) as error:
        opengl.choose.__wrapped__()
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_try_says_no_where_a_library_is_missing(monkeypatch):
    monkeypatch.setenv("PYOPENGL_PLATFORM", "glx")  # the others refuse to load beside it
    assert not opengl._works("egl")
