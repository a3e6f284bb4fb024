"""Any gymnasium environment is a family of tasks: what it does, what it refuses, and runs on it."""

import dataclasses
import re
import sys

import gymnasium
import numpy as np
import pytest
from absl import logging
from commands import PROJECT, call, execute, make_loss, metrics_of, summary_of
from gymnasium.spaces import Box, Dict, Discrete
from refusals import sentence_of

from epg_tf import command_line, config, evaluate, train
from epg_tf.outer_loop.checkpoint import CheckpointFolder
from epg_tf.tasks import simulator
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.environments.gymnasium_tasks import GymnasiumTasks
from epg_tf.tasks.environments.settings import EnvironmentFailed

HERE = __name__
PENDULUM = {"m": (0.7, 1.3), "l": (0.7, 1.3)}


class Corridor(gymnasium.Env):
    """Walks along a line to a goal, for a reward that its attributes change."""

    observation_space = Dict({"place": Box(-99, 99, (2,), np.float32), "side": Discrete(3)})
    action_space = Box(np.array([-2.0], np.float32), np.array([4.0], np.float32))

    def __init__(self, goal: float = 5.0, pay: float = 1.0, trouble: str = "", render_mode=None):
        self.goal, self.pay, self.trouble, self.render_mode = goal, pay, trouble, render_mode
        self.laps = 2

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = self.np_random.uniform(-1.0, 1.0) + (options or {}).get("start", 0.0)
        if self.trouble == "dice":
            self.place = np.random.default_rng().uniform()
        return self._seen(), {}

    def step(self, action):
        self.place += float(action[0]) / 4.0
        ends = self.place > self.goal
        if self.trouble == "raises" and ends:
            raise OSError("the motor is\nhot")
        seen = self._seen()
        if self.trouble == "nan" and ends:
            seen["place"][:] = np.nan
        return seen, self.pay * self.place * self.laps, ends, False, {}

    def _seen(self):
        return {"place": np.array([self.place, 1.0], np.float32), "side": int(self.place > 0)}


class Unlimited(Corridor):
    action_space = Box(-np.inf, np.inf, (1,), np.float32)


class Pictures(Corridor):
    observation_space = Box(0, 255, (8, 8, 3), np.uint8)

    def _seen(self):
        return np.zeros((8, 8, 3), np.uint8)


class Lying(Corridor):
    def _seen(self):
        return super()._seen() | {"place": np.full(2, 200, np.float32)}


def corridor(**settings):
    return GymnasiumTasks(f"{HERE}:Corridor", **{"time_limit": 20} | settings)


def start(family, task_seeds):
    rngs = [np.random.default_rng(seed) for seed in task_seeds]
    return simulator.start(family, [family.sample(seed) for seed in task_seeds], rngs)


@pytest.mark.parametrize("name", ["Pendulum-v1", "CartPole-v1", "FrozenLake-v1", "Hopper-v5"])
def test_without_ranges_it_is_the_environment(name):
    family = GymnasiumTasks(name)
    workers, rng = start(family, [3]), np.random.default_rng(3)
    plain, actions = gymnasium.make(name), np.random.default_rng(4)
    low, high = getattr(plain.action_space, "low", 0), getattr(plain.action_space, "high", 0)

    def flat(observation):
        return gymnasium.spaces.flatten(plain.observation_space, observation)

    expected = flat(plain.reset(seed=int(rng.integers(2**31)))[0])
    for _ in range(250):
        np.testing.assert_array_equal(workers.observation[0], expected)
        if family.num_actions is None:
            action = actions.uniform(-1.2, 1.2, (1, family.action_size))
            share = (np.clip(action[0], -1.0, 1.0) + 1.0) / 2.0
            given = (low + share * (high.astype(float) - low)).astype(np.float32)
        else:
            action = actions.integers(family.num_actions, size=1)
            given = int(action[0])
        step = workers.step(action)
        observation, reward, terminated, truncated, _ = plain.step(given)
        expected = flat(observation)
        np.testing.assert_array_equal(step.observation[0], expected)
        assert (step.reward[0], step.terminated[0]) == (reward, terminated)
        assert step.truncated[0] == (truncated and not terminated)
        if terminated or truncated:
            workers.reset(np.array([0]))
            expected = flat(plain.reset(seed=int(rng.integers(2**31)))[0])


def test_tasks_draw_attributes_arguments_and_options():
    ranges = {"pay": (0.5, 2.0), "goal": (3.0, 4.0), "reset.start": (10.0, 11.0), "laps": (1, 4)}
    family = corridor(ranges=ranges)
    one, again, other = (family.sample(seed).parameters for seed in (3, 3, 4))
    assert one == again != other
    laps = {family.sample(seed).parameters["laps"] for seed in range(40)}
    assert laps == {1, 2, 3, 4}
    environment = family.make(family.sample(3).parameters).unwrapped
    assert (environment.pay, environment.goal) == (one["pay"], one["goal"])
    assert start(family, [3]).observation[0, 0] > 8.0
    assert corridor(ranges={"goal": (3, 4)}).sample(0).parameters["goal"] % 1.0 > 0


def test_an_id_may_follow_the_package_that_registers_it():
    assert GymnasiumTasks("gymnasium:CartPole-v1", {"gravity": (5.0, 9.0)}).time_limit == 500


def test_actions_are_scaled_from_the_box_and_nan_is_its_middle():
    family = corridor()
    found = [family.scaled(np.array([a]))[0] for a in (-5.0, -1.0, 0.0, 1.0, np.nan)]
    assert found == [-2.0, -2.0, 1.0, 4.0, 1.0]


def test_ends_and_time_limits_are_told_apart():
    workers = start(corridor(arguments={"goal": 4.5}), [0])
    steps = [workers.step(np.array([[1.0]])) for _ in range(6)]
    place = workers.observation[0, 0]
    assert place > 4.5 and steps[-1].terminated[0] and not steps[-1].truncated[0]
    workers.reset()
    steps = [workers.step(np.array([[-1 / 3]])) for _ in range(20)]
    assert [bool(s.truncated[0]) for s in steps] == [False] * 19 + [True]


def test_a_step_that_is_not_finite_is_counted_and_ends_the_episode():
    workers = start(corridor(arguments={"goal": 1e-9}), [0])
    workers._environments[0].unwrapped.trouble = "nan"
    before = workers.observation.copy()
    for _ in range(9):
        step = workers.step(np.array([[1.0]]))
        if step.terminated[0]:
            break
        before = step.observation.copy()
    assert workers.warnings[0] == 1
    np.testing.assert_array_equal(step.observation, before)
    assert step.reward[0] == 0.0


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"id": "Pendlum-v1"}, "`GymnasiumTasks.id` .* registered id.* (did you mean Pendulum-v1"),
        ({"id": "no_module:make"}, "name a module that can be imported"),
        ({"id": f"{HERE}:Nothing-v0"}, "a registered id, after its package as in"),
        ({"id": f"{HERE}:Unlimited"}, "a box of actions with finite ends"),
        ({"id": f"{HERE}:Pictures"}, "no pictures, not (8, 8, 3)"),
        (
            {"id": f"{HERE}:Lying", "time_limit": 9},
            "must pass gymnasium's check_env: .*observation",
        ),
        ({"id": f"{HERE}:Corridor"}, "`GymnasiumTasks.time_limit` (=None) must be given"),
        ({"id": "Pendulum-v1", "time_limit": 0}, "must be a positive integer"),
        ({"ranges": {"mass": (1, 2)}}, "name attributes or arguments of Pendulum-v1.*g, l, m,"),
        ({"ranges": {"m": (2, 1)}}, "pairs (low, high) with low <= high"),
        ({"ranges": {"m": 1.0}}, "pairs (low, high)"),
        ({"ranges": {"screen_dim": (100, 200)}}, "and 'screen_dim' changes nothing"),
        ({"arguments": {"speed": 1}}, "the constructor of .* raised TypeError: .*'speed'"),
        (
            {"id": f"{HERE}:Corridor", "arguments": {"trouble": "raises"}, "time_limit": 300},
            "the step of .* raised OSError: the motor is hot",
        ),
    ],
)
def test_what_does_not_fit_gets_a_sentence(settings, sentence):
    pattern = sentence.replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ValueError, match=pattern):
        GymnasiumTasks(**{"id": "Pendulum-v1", **settings})


def test_an_environment_that_does_not_repeat_itself_is_named(caplog):
    caplog.set_level("WARNING", logger="absl")
    corridor(arguments={"trouble": "dice"})
    assert "no run with it can be repeated" in caplog.text


def test_a_grid_of_actions_needs_a_model():
    with pytest.raises(ValueError, match="must be a family of MuJoCo models"):
        DiscreteActions(corridor())


def tiny(**more):
    inner = ("num_updates = 2", "steps_per_update = 64", "buffer_size = 64", "hidden_sizes = (8,)")
    others = ("meta_train.num_updates = None", "meta_train.validate_every = 2")
    bindings = [*(f"InnerLoop.{one}" for one in inner), *others]
    sizes = {"num_workers": 4, "num_epochs": 3, "gin_file": []}
    return {"gin_binding": bindings, **sizes, **more}


def phi_of(root):
    return CheckpointFolder(root / "checkpoints").latest().state.phi


@pytest.mark.parametrize(
    ("name", "ranges"), [("Pendulum-v1", ["m=0.7:1.3"]), ("CartPole-v1", ["gravity=5.0:15.0"])]
)
def test_runs_repeat_themselves_go_on_and_are_evaluated(name, ranges, tmp_path):
    roots = [tmp_path / root for root in ("whole", "in_two", "evaluation")]
    call(train, **tiny(env=name, vary=ranges, root_dir=str(roots[0])))
    for num_epochs in (1, 3):
        run = tiny(env=name, vary=ranges, root_dir=str(roots[1])) | {"num_epochs": num_epochs}
        call(train, **run)
    np.testing.assert_array_equal(*map(phi_of, roots[:2]))
    assert np.isfinite([line["return_mean"] for line in metrics_of(roots[0])]).all()
    methods = ["evolved", "phi_zero", "ppo", "no_action", "tf_agents_ppo"]
    if name == "CartPole-v1":
        methods.remove("no_action")
    few = {"num_tasks": 2, "num_seeds": 1, "methods": methods, "gin_file": [], "gin_binding": []}
    call(evaluate, loss=str(roots[0]), root_dir=str(roots[2]), **few)
    assert set(summary_of(roots[2])) >= set(methods)


def test_the_environment_of_the_page_is_one(tmp_path, monkeypatch):
    (code,) = re.findall(
        r"```python\n(.*?)```", (PROJECT / "docs/environments.md").read_text(), re.S
    )
    (tmp_path / "buoy.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    ranges = {"mass": (0.5, 2.0), "current": (-0.5, 0.5)}
    workers = start(GymnasiumTasks("buoy:Buoy", ranges, time_limit=100), [0, 1])
    assert np.isfinite(workers.step(np.zeros((2, 1))).reward).all()


def test_ranks_do_not_change_phi(tmp_path):
    flags = ["--env", "Pendulum-v1", "--vary", "m=0.7:1.3", "--num_workers", 4, "--num_epochs", 2]
    flags += ["--gin_binding", "meta_train.num_updates = None"]
    flags += ["--gin_binding", "InnerLoop.num_updates = 1"]
    for ranks in (1, 2):
        job = [sys.executable, "-m", "epg_tf.train", *flags, "--np", ranks]
        ended = execute(*job, "--root_dir", tmp_path / str(ranks))
        assert ended.returncode == 0, ended.stderr
    np.testing.assert_array_equal(phi_of(tmp_path / "1"), phi_of(tmp_path / "2"))


def test_steps_that_fail_are_counted_named_and_refused(tmp_path, monkeypatch, capfd, caplog):
    monkeypatch.setattr(logging.get_absl_logger(), "propagate", True)
    corridor(ranges={})  # sound while it is checked
    seen = Corridor._seen

    def seen_with_holes(self):
        found = seen(self)
        if self.np_random.uniform() < self.share:
            found["place"][:] = np.nan
        return found

    monkeypatch.setattr(Corridor, "_seen", seen_with_holes)
    run = tiny(env=f"{HERE}:Corridor", root_dir=str(tmp_path / "run"))
    run["gin_binding"] = [*run["gin_binding"], "GymnasiumTasks.time_limit = 20"]
    monkeypatch.setattr(Corridor, "share", 0.1, raising=False)
    call(train, **run)
    assert 0 < metrics_of(tmp_path / "run")[0]["failed_steps"] < 512 * 0.2
    assert "% of the steps failed" in caplog.text
    monkeypatch.setattr(Corridor, "share", 0.5)
    capfd.readouterr()
    sentence = sentence_of(capfd, lambda: call(train, **run, dry_run=True))
    assert "of the steps failed." in sentence


def test_an_error_in_the_middle_of_a_run_is_one_sentence(capfd):
    def fail():
        raise EnvironmentFailed("the step of it raised OSError: hot.")

    with pytest.raises(SystemExit) as exit_of, command_line.trouble_as_one_sentence():
        fail()
    assert exit_of.value.code == command_line.FAILED
    assert capfd.readouterr().err == "epg_tf: the step of it raised OSError: hot.\n"


@pytest.mark.parametrize(
    "flags", [{"vary": ["m=0.7:1.3"]}, {"env": "Pendulum-v1", "vary": ["m=1"]}]
)
def test_short_forms_that_do_not_fit_get_a_sentence(flags, tmp_path, capfd):
    run = tiny(root_dir=str(tmp_path / "run"), **flags)
    assert "must be as m=0.7:1.3, beside an --env" in sentence_of(capfd, lambda: call(train, **run))


def test_settings_are_recorded_and_read_again(tmp_path):
    folder = make_loss(
        tmp_path / "run",
        {"meta_train.family": "@GymnasiumTasks()", "GymnasiumTasks.id": "'Pendulum-v1'"}
        | {"GymnasiumTasks.ranges": PENDULUM},
    )
    family = config.read([str(folder / "operative_config.gin")], []).family
    assert family == GymnasiumTasks("Pendulum-v1", PENDULUM)
    assert dataclasses.asdict(family)["time_limit"] == 200
