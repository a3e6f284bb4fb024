"""Showing a loss: stages, shots, words in pictures, films, exploration, and the door to it all."""

import contextlib
import dataclasses
import gc
import io
import itertools
import json
import os
import pathlib
import signal
import subprocess
import sys
import warnings

import imageio
import imageio_ffmpeg
import mujoco
import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver
from PIL import Image
from refusals import sentence_of

from epg_tf import command_line, config, render
from epg_tf.agent.normaliser import RunningStatistics
from epg_tf.evaluation.films import encode, pictures
from epg_tf.evaluation.films.episodes import (
    Episode,
    Pace,
    Stage,
    play,
    returns_of,
    shots,
    stage_names,
)
from epg_tf.evaluation.films.exploration import TravelRecorder, rewarded_direction, turning_points
from epg_tf.evaluation.films.frames import StageFilm, write_films
from epg_tf.evaluation.films.plan import FilmPlan
from epg_tf.evaluation.films.writer import FilmWriter, table
from epg_tf.evaluation.results_folder import ResultsFolder
from epg_tf.evolved_loss.load import EvolvedLoss
from epg_tf.files import CONFIG_FILE
from epg_tf.inner_loop.lifetime import Workers
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.outer_loop.checkpoint import Checkpoint, CheckpointFolder
from epg_tf.rendering import process
from epg_tf.rendering.process import RenderingError, RenderProcess
from epg_tf.seeds import HELD_OUT_TASK_SEEDS, held_out_seed
from epg_tf.tasks.family import Task, TaskFamily
from epg_tf.tasks.hopper import DirHopper
from epg_tf.tasks.reacher import RandomReacher
from epg_tf.tasks.simulator import BatchSimulator

PROJECT = pathlib.Path(__file__).parent.parent
TINY = {
    "InnerLoop.num_updates": 2,
    "InnerLoop.steps_per_update": 64,
    "InnerLoop.buffer_size": 64,
    "InnerLoop.num_minibatches": 1,
    "InnerLoop.hidden_sizes": (4,),
    "InnerLoop.observation_statistics": None,
    "meta_train.num_epochs": 1,
    "meta_train.num_workers": 2,
}
NUM_TASKS, NUM_SHOTS = 4, 6
FLAGS = {"num_tasks": NUM_TASKS, "seconds": 0.04 * NUM_SHOTS}
FILMS = {f"{name}.{kind}" for name in ("before", "after", "learning") for kind in ("mp4", "gif")}
FILES = {"bodies.png", "render.json", "summary.json", "operative_config.gin"} | FILMS


def settings_of(preset, **changes):
    values = TINY | {name.replace("__", "."): value for name, value in changes.items()}
    return config.read([f"gin/{preset}.gin"], [f"{k} = {v}" for k, v in values.items()])


def make_loss(folder, preset, **changes):
    """A run's folder with a loss that nobody evolved."""
    settings = settings_of(preset, **changes)
    phi = Workers(settings.inner_loop, settings.family, 1).draw_phi(7)
    state = settings.strategy.init(phi)
    folder.mkdir()
    CheckpointFolder(folder / "checkpoints").save(Checkpoint(state, phi, 0.0, 0.0, 128, {}))
    (folder / CONFIG_FILE).write_text(config.complete_config())
    return folder


def run(path, root, **flag_values):
    """What `python -m epg_tf.render` does, in this process."""
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
    with flagsaver.flagsaver(**(FLAGS | {"loss": str(path), "root_dir": str(root)} | flag_values)):
        render.main(["render"])


@pytest.fixture(scope="module")
def seeing_loss(tmp_path_factory):
    return make_loss(tmp_path_factory.mktemp("seeing") / "run", "dir_hopper", Constant__value=0.5)


def read_mp4(path):
    with warnings.catch_warnings():
        # imageio-ffmpeg leaves the closing of its pipes to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        frames = np.stack(imageio.mimread(path))
        gc.collect()
    return frames


# Stages and shots.


def test_stages_are_the_beginning_the_middle_and_the_end():
    assert stage_names(64) == {0: "before", 32: "during", 64: "after"}
    assert stage_names(3) == {0: "before", 1: "during", 3: "after"}
    assert stage_names(1) == {0: "before", 1: "after"}


def make_episode(num_steps, has_ended=True):
    steps = np.arange(num_steps + 1.0)
    return Episode(steps[:, None], -steps, has_ended)


def test_shots_run_through_the_episodes_and_hold_their_ends():
    episodes = [make_episode(5), make_episode(4), make_episode(3, has_ended=False)]
    cut = shots(episodes, Pace(steps_per_shot=2, seconds_per_shot=0.04, num_shots=11, hold=1))
    assert [(int(s.state[0]), s.episode, s.return_so_far, s.is_final) for s in cut] == [
        (0, 1, 0.0, False),
        (2, 1, -2.0, False),
        (4, 1, -4.0, False),
        (5, 1, -5.0, True),
        (5, 1, -5.0, True),
        (0, 2, 0.0, False),
        (2, 2, -2.0, False),
        (4, 2, -4.0, True),
        (4, 2, -4.0, True),
        (0, 3, 0.0, False),
        (2, 3, -2.0, False),
    ]
    assert returns_of(episodes) == [-5.0, -4.0]
    assert returns_of(episodes[2:]) == [-3.0]


@pytest.mark.parametrize(
    ("seconds_per_step", "steps", "num_shots"), [(0.02, 2, 50), (0.004, 10, 50), (0.1, 1, 20)]
)
def test_films_run_in_real_time(seconds_per_step, steps, num_shots):
    pace = Pace.real_time(2.0, seconds_per_step)
    assert (pace.steps_per_shot, pace.num_shots) == (steps, num_shots)
    assert pace.num_shots * pace.seconds_per_shot == pytest.approx(2.0)
    assert pace.hold * pace.seconds_per_shot == pytest.approx(0.4)


def test_stages_play_from_the_same_states_as_they_would_have_acted():
    settings = settings_of("reacher")
    loss = EvolvedLoss(pathlib.Path(), np.zeros(1, np.float32), settings, "")
    seeds = FilmPlan(loss, num_tasks=3).seeds
    workers = Workers(settings.inner_loop, settings.family, 3)
    stages = {}
    for name, scale in (("before", 1.0), ("after", 100.0)):
        agents = workers.agents.draw([np.random.default_rng(w) for w in range(3)])
        weights = [scale * weight for weight in workers.agents.policy_weights(agents)]
        statistics = RunningStatistics.start(3, settings.family.observation_size)
        stages[name] = Stage(name, 0, weights, statistics)
    played = {name: play(settings.family, seeds, s, 120) for name, s in stages.items()}
    again = play(settings.family, seeds, stages["before"], 120)
    for worker in range(3):
        before, after = played["before"][worker], played["after"][worker]
        assert [len(episode.states) for episode in before] == [51, 51, 21]
        assert [episode.has_ended for episode in before] == [True, True, False]
        for one, other, same in zip(before, after, again[worker], strict=True):
            np.testing.assert_array_equal(one.states[0], other.states[0])
            assert (one.states[-1] != other.states[-1]).any()
            np.testing.assert_array_equal(one.states, same.states)
        # Rewards are of the states: minus the distance, minus the action's norm.
        distances = []
        for state in before[0].states[1:]:
            task = settings.family.sample(seeds[worker].task_seed)
            parameters = {k: np.array(v)[None] for k, v in task.parameters.items()}
            observation = settings.family.observe(state[None, 1:5], state[None, 5:9], parameters)
            distances.append(np.hypot(*observation[0, 8:10]))
        assert (np.diff(before[0].returns) < -np.array(distances)).all()
    assert (played["before"][0][0].states[0] != played["before"][1][0].states[0]).any()


# Words in pictures, and films.


def test_words_are_drawn():
    ground = np.full((40, 160, 3), 128, np.uint8)
    captions = [
        pictures.with_caption(ground, "episode 1", words, 13, highlighted)
        for words, highlighted in (
            ("return 5.0", False),
            ("return 6.0", False),
            ("return 5.0", True),
        )
    ]
    for captioned in captions:
        assert captioned.shape == (60, 160, 3)
        np.testing.assert_array_equal(captioned[:40], ground)
        assert captioned[40:].max() > 200 > 50 > captioned[40:].min()
    first, other, highlighted = (captioned[40:].astype(int) for captioned in captions)
    assert (first != other).any()
    np.testing.assert_array_equal(first[:, :80], other[:, :80])
    spread = highlighted[:, 80:].max(axis=2) - highlighted[:, 80:].min(axis=2)
    assert spread.max() > 100  # colour
    titled = pictures.with_title(ground, "after learning", "update 4 of 4", 20)
    assert titled.shape == (100, 160, 3)
    assert titled[:60].max() > 200
    labelled = pictures.with_label(ground, "task 1", 13)
    assert labelled.shape == ground.shape
    assert (labelled[:25, :60] != ground[:25, :60]).any()
    np.testing.assert_array_equal(labelled[25:], ground[25:])


def test_words_that_do_not_fit_become_smaller():
    ground = np.zeros((2, 120, 3), np.uint8)
    captioned = pictures.with_caption(ground, "episode 123", "return -123,456.7", 13)
    columns = np.flatnonzero((captioned[2:] > 150).any(axis=(0, 2)))
    assert 0 < columns.min() < columns.max() < 119
    assert np.diff(columns).max() > 3  # a gap between the two


def test_grids_are_about_square():
    tile = np.full((20, 30, 3), 255, np.uint8)
    assert pictures.grid([tile], 4).shape == (20, 30, 3)
    assert pictures.grid([tile] * 2, 4).shape == (20, 64, 3)
    assert pictures.grid([tile] * 4, 4).shape == (40, 64, 3)
    assert pictures.grid([tile] * 5, 4).shape == (40, 98, 3)
    assert pictures.grid([tile] * 5, 4)[20:, 68:].max() < 60  # nobody there


def make_frames(num_frames, height=64, width=96):
    frames = np.zeros((num_frames, height, width, 3), np.uint8)
    for number, frame in enumerate(frames):
        frame[:, : (number + 1) * width // num_frames] = 255
    return frames


def write(path, frames, seconds_per_frame=0.04):
    with encode.Film(path, seconds_per_frame) as written:
        for frame in frames:
            written.append(frame)
        written.finish()


def test_films_are_read_back_as_they_were_written(tmp_path):
    frames = make_frames(10)
    write(tmp_path / "film", frames)
    assert {path.name for path in tmp_path.iterdir()} == {"film.mp4", "film.gif"}
    counted = imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "film.mp4"))
    assert counted == (10, pytest.approx(0.4))
    read = read_mp4(tmp_path / "film.mp4")
    assert read.shape == frames.shape
    assert np.abs(read.astype(int) - frames).mean() < 8
    with Image.open(tmp_path / "film.gif") as gif:
        assert (gif.size, gif.n_frames) == ((96, 64), 5)
        assert (gif.info["duration"], gif.info["loop"]) == (80, 0)
        gif.seek(3)
        assert np.abs(np.asarray(gif.convert("RGB")).astype(int) - frames[6]).mean() < 8


def test_a_gif_that_would_be_wide_becomes_smaller(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 255, (12, 64, 96, 3), np.uint8)
    monkeypatch.setattr(encode, "_WIDEST_GIF", 48)
    write(tmp_path / "small", noise)
    with Image.open(tmp_path / "small.gif") as gif:
        assert (gif.size, gif.n_frames) == ((48, 32), 6)


def test_a_film_that_is_not_finished_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), encode.Film(tmp_path / "film", 0.04) as unfinished:
        unfinished.append(make_frames(1)[0])
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_films_that_nobody_can_go_on_drawing_leave_nothing(render_process, tmp_path):
    family = RandomReacher()
    task = family.sample(0)
    state = BatchSimulator(family, [task], [np.random.default_rng(0)]).state
    episode = Episode(np.repeat(state, 9, axis=0), np.zeros(9), False)
    films = [StageFilm("before", "before learning", "update 0", [[episode]])]
    pace = Pace(steps_per_shot=1, seconds_per_shot=0.04, num_shots=8, hold=0)
    frames = itertools.count()

    def tick():
        if next(frames) == 0:
            os.kill(drawing.pid, signal.SIGKILL)

    with RenderProcess() as drawing, pytest.raises(RenderingError, match="SIGKILL ended it"):
        write_films(drawing, tmp_path, films, [task], [""], pace, tick)
    assert not list(tmp_path.iterdir())


# Exploration.


def test_exploring_ends_where_progress_is_lowest():
    progress = np.array([[-1.0, -2.0, -1.0, 3.0], [1.0, 2.0, 1.0, 3.0], [-1.0, -2.0, -3.0, -4.0]])
    assert turning_points(progress).tolist() == [2, 0, 4]


def test_directions_are_those_that_tasks_reward():
    hoppers = [DirHopper().sample(seed) for seed in range(8)]
    assert {rewarded_direction(task) for task in hoppers} == {-1.0, 1.0}
    for task in hoppers:
        assert rewarded_direction(task) == task.parameters["direction"]
    model = hoppers[0].model
    assert rewarded_direction(RandomReacher().sample(0)) is None
    for other in (0.3, np.array([1.0, 0.0])):  # somebody's angle, somebody's vector
        assert rewarded_direction(Task(model, {"direction": other})) is None


def test_what_is_recorded_of_a_lifetime_is_what_was_rewarded():
    family, recorder = DirHopper(), TravelRecorder(0)
    settings = InnerLoop(num_updates=2, steps_per_update=80, buffer_size=80)
    workers = Workers(settings, family, 3)
    seeds = [held_out_seed(0, task) for task in range(3)]
    rewards = []

    def watch(update):
        recorder.watch_update(update)
        rewards.append(update.experience.reward)

    workers.live(np.tile(workers.draw_phi(0), (3, 1)), seeds, 0.0, watch)
    travel, rewards = recorder.travel(), np.concatenate(rewards, axis=1)
    assert travel.moved.shape == rewards.shape == travel.has_ended.shape == (3, 160)
    assert travel.has_ended.any()
    for seed, moved, reward in zip(seeds, travel.moved, rewards, strict=True):
        task = family.sample(seed.task_seed)
        speed = moved / task.parameters["seconds_per_step"]
        np.testing.assert_allclose(task.parameters["direction"] * speed, reward, atol=1e-12)


# The door.


@pytest.fixture(scope="module")
def shown(render_process, seeing_loss, tmp_path_factory):
    """Its folder, and what was said."""
    root, said = tmp_path_factory.mktemp("shown") / "videos", io.StringIO()
    with contextlib.redirect_stdout(said):
        run(seeing_loss, root)
    return root, said.getvalue()


def test_everything_is_written(shown):
    root, said = shown
    during = {"during.mp4", "during.gif"}
    expected = FILES | during | {"exploration.png", "exploration.npz"}
    assert {path.name for path in root.iterdir()} == expected
    for name in ("before", "during", "after", "learning"):
        assert len(read_mp4(root / f"{name}.mp4")) == NUM_SHOTS
    for name in ("bodies", "exploration"):
        with Image.open(root / f"{name}.png") as picture:
            assert np.asarray(picture.convert("RGB")).std() > 10
    lines = said.splitlines()
    assert lines[0] == (
        "Mean return of the episodes filmed, DirHopper, sees reward + PPO with α = 0.5:"
    )
    assert [line.split()[0] for line in lines[2:5]] == ["before", "during", "after"]
    assert lines[-1].startswith(f"Files in {root}: bodies.png, exploration.png, exploration.npz,")


def test_the_summary_says_what_was_filmed(shown):
    summary = json.loads((shown[0] / "summary.json").read_text())
    assert summary["task_seeds"] == list(HELD_OUT_TASK_SEEDS[:NUM_TASKS])
    stages = summary["stages"]
    assert [(s["num_updates"], s["env_steps"]) for s in stages.values()] == [
        (0, 0),
        (1, 64),
        (2, 128),
    ]
    assert all(len(stage["returns"]) == NUM_TASKS for stage in stages.values())
    assert stages["before"]["returns"] != stages["after"]["returns"]
    assert {shown[0] / name for name in summary["files"]} < set(shown[0].iterdir())
    assert table(summary) in shown[1]


def test_exploration_covers_the_lifetimes_of_both(shown):
    with np.load(shown[0] / "exploration.npz") as file:
        arrays = dict(file)
    tasks = [DirHopper().sample(seed) for seed in HELD_OUT_TASK_SEEDS[:NUM_TASKS]]
    assert arrays["direction"].tolist() == [task.parameters["direction"] for task in tasks]
    assert set(arrays["direction"]) == {-1.0, 1.0}
    for method in ("evolved", "ppo"):
        position, ended = arrays[f"{method}_position"], arrays[f"{method}_has_ended"]
        assert position.shape == ended.shape == (NUM_TASKS, 128)
        assert ended.any()
        # Within an episode the moves are the differences of the positions.
        moved = arrays[f"{method}_moved"][:, 1:]
        np.testing.assert_allclose(
            moved[~ended[:, :-1]], np.diff(position)[~ended[:, :-1]], atol=1e-6
        )
        assert np.abs(position[:, 1:][ended[:, :-1]]).max() < 0.1  # back at the start
    first = slice(0, 64)  # both act with the same policies and noise before the first update
    np.testing.assert_array_equal(
        arrays["evolved_position"][:, first], arrays["ppo_position"][:, first]
    )


@pytest.fixture
def undrawn(monkeypatch):
    """No process that draws, for what ends before there is anything to draw."""
    monkeypatch.setattr(process, "RenderProcess", contextlib.nullcontext)


def test_the_same_command_again_may_write_it_again(
    shown, seeing_loss, undrawn, monkeypatch, capsys
):
    root, said = shown
    summary = json.loads((root / "summary.json").read_text())
    monkeypatch.setattr(FilmWriter, "write", lambda *_: summary)
    run(seeing_loss, root)
    assert capsys.readouterr().out == said


PENDULUM = """
<mujoco>
  <worldbody>
    <body>
      <joint name="hinge" axis="0 1 0"/>
      <geom type="capsule" size="0.05" fromto="0 0 0 0 0 -1"/>
    </body>
  </worldbody>
  <actuator><motor joint="hinge"/></actuator>
</mujoco>
"""


@dataclasses.dataclass(frozen=True)
class Pendulum(TaskFamily):
    """A family of somebody else's: no camera, no direction, two actions."""

    observation_size = 2
    action_size = 1
    num_actions = 2
    frame_skip = 5
    time_limit = 20

    def draw(self, rng):
        spec = mujoco.MjSpec.from_string(PENDULUM)
        spec.geoms[0].size[0] = size = rng.uniform(0.05, 0.2)
        return Task(spec.compile(), {"size of the rod": size})

    def initial_state(self, task, rng):
        return rng.uniform(-1, 1, size=1), np.zeros(1)

    def observe(self, qpos, qvel, parameters, out=None):
        return np.stack([qpos[:, 0], qvel[:, 0]], axis=1, out=out)

    def reward(self, qpos_before, qpos, qvel, observation, action, parameters):
        return np.cos(qpos[:, 0])

    def terminated(self, qpos, qvel, parameters):
        return np.zeros(len(qpos), bool)

    def control(self, action):
        return 2.0 * action[:, None] - 1.0


def test_families_of_users_are_shown_and_robots_that_stay_explore_nothing(render_process, tmp_path):
    settings = settings_of("reacher", InnerLoop__num_updates=1)
    settings = dataclasses.replace(settings, family=Pendulum())
    phi = Workers(settings.inner_loop, settings.family, 1).draw_phi(0)
    loss = EvolvedLoss(tmp_path, phi, settings, "# a config")
    writer = FilmWriter(FilmPlan(loss, num_tasks=1, seconds=0.1))
    assert not writer.travels
    ticks, folder = [], ResultsFolder(tmp_path, "render", {})
    summary = writer.write(folder, render_process, ticks.append, ["render"])
    assert len(ticks) == writer.num_ticks
    assert {path.name for path in tmp_path.iterdir()} == FILES - {"render.json"}
    assert list(summary["stages"]) == ["before", "after"]
    assert summary["reward"] == "no reward"


# What is refused: one sentence, and nothing written.


def refusal(path, root, capfd, **flag_values):
    return sentence_of(capfd, lambda: run(path, root, **flag_values))


@pytest.mark.parametrize(
    ("flag_values", "says"),
    [
        ({"num_tasks": 0}, "`--num_tasks` (=0) must be a positive integer."),
        ({"num_tasks": 10}, "`--num_tasks` (=10) must be at most 9."),
        ({"num_updates": 0}, "`--num_updates` (=0) must be a positive integer."),
        ({"seconds": 0.0}, "`--seconds` (=0.0) must be more than 0 and at most 60."),
        ({"seconds": float("nan")}, "`--seconds` (=nan) must be more than 0 and at most 60."),
        ({"gin_binding": ["meta_train.family = @RandomReacher()"]}, "must fit the config"),
    ],
)
def test_bad_values_are_refused(flag_values, says, undrawn, seeing_loss, tmp_path, capfd):
    assert says in refusal(seeing_loss, tmp_path / "videos", capfd, **flag_values)
    assert not list(tmp_path.iterdir())


def test_what_is_no_loss_is_refused(undrawn, tmp_path, capfd):
    root = tmp_path / "videos"
    assert f"`--loss` (={tmp_path}) must be" in refusal(tmp_path, root, capfd)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_other_results_is_refused(undrawn, seeing_loss, tmp_path, capfd):
    (tmp_path / "render.json").write_text('{"--num_tasks": 2}')
    says = refusal(seeing_loss, tmp_path, capfd)
    assert f"`--root_dir` (={tmp_path}) must not hold another result of render" in says
    assert "`--num_tasks` is 2 there and 4 here" in says
    assert [path.name for path in tmp_path.iterdir()] == ["render.json"]


def test_without_opengl_it_says_what_to_install(seeing_loss, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(
        process, "_command", lambda *_: [sys.executable, "-c", "raise SystemExit(1)"]
    )
    monkeypatch.setenv("MUJOCO_GL", "")
    monkeypatch.delenv("EPG_MUJOCO_GL", raising=False)
    says = refusal(seeing_loss, tmp_path / "videos", capfd)
    assert "libegl1" in says
    assert "libosmesa6" in says
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("by", [signal.SIGABRT, signal.SIGKILL])
def test_the_end_of_what_draws_is_a_sentence(
    by, render_process, seeing_loss, tmp_path, capfd, monkeypatch
):
    write_all = FilmWriter.write

    def write_with_nobody_to_draw(writer, folder, drawing, *arguments):
        os.kill(drawing.pid, by)
        return write_all(writer, folder, drawing, *arguments)

    monkeypatch.setattr(FilmWriter, "write", write_with_nobody_to_draw)
    with pytest.raises(SystemExit) as exit_of:
        run(seeing_loss, tmp_path)
    assert exit_of.value.code == command_line.BAD_INPUT
    sentence = capfd.readouterr().err.splitlines()[-1]  # above it is the progress bar
    assert sentence.startswith("epg_tf: The process that draws (`MUJOCO_GL`=")
    assert f"must last until all is drawn, and {by.name} ended it: try again" in sentence
    assert [path.name for path in tmp_path.iterdir()] == ["render.json"]


def test_from_a_shell_too(tmp_path):
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "epg_tf.render",
            "--loss",
            "reacher",
            "--root_dir",
            str(tmp_path / "v"),
        ],
        cwd=PROJECT,
        env={**os.environ, "MUJOCO_GL": "nonsense"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stdout) == (command_line.BAD_INPUT, "")
    assert result.stderr == (
        "epg_tf: `MUJOCO_GL` (=nonsense) must be egl, osmesa or glfw, or not be set.\n"
    )
    assert not list(tmp_path.iterdir())
