"""Presets and bindings: all presets run, and what is not understood gets one sentence."""

import dataclasses
import json
import math
import pathlib
import re
import shlex

import numpy as np
import pytest

from epg_tf import config
from epg_tf.evolved_loss.description import describe
from epg_tf.files import differs_from_run, flatten, json_text, plain
from epg_tf.inner_loop.footprint import require_memory
from epg_tf.outer_loop.settings import MetaTraining
from epg_tf.outer_loop.stop import StopRequest
from epg_tf.ranks import Ranks
from epg_tf.rivals import presets
from epg_tf.run.folder import RunFolder
from epg_tf.run.training import train
from epg_tf.schedules import PiecewiseLinear, epochs_to_look_at

PROJECT = pathlib.Path(__file__).parent.parent
SHARED = (  # without a family: others include them
    "paper/paper.gin",
    "evolved/fast.gin",
    "evolved/confined.gin",
    "evolved/any_body.gin",
    "taught/by_critic.gin",
    "taught/by_expert.gin",
)
FILES = {
    path.relative_to(PROJECT / "gin").as_posix(): path
    for path in sorted((PROJECT / "gin").rglob("*.gin"))
    if path.parent.name != "tasks"
}


def is_of_a_rival(path):
    """Whether a preset, or one that it includes, binds what `epg_tf.train_rival` reads."""
    text = path.read_text()
    included = re.findall(r"^include '(.*)'", text, re.MULTILINE)
    return "train_rival." in text or any(is_of_a_rival(PROJECT / name) for name in included)


RIVALS = [name for name, path in FILES.items() if is_of_a_rival(path)]
PRESETS = [name for name in FILES if name not in {*SHARED, *RIVALS}]
TINY = [
    "meta_train.num_workers = 2",
    "meta_train.num_epochs = 1",
    "InnerLoop.num_updates = 4",
    "InnerLoop.hidden_sizes = (4,)",
    "meta_train.num_updates = None",
    "CriticTeacher.num_gradient_steps = 2",
    "ExpertTeacher.num_explorers = 2",
    "ExpertTeacher.num_iterations = 1",
    "ExpertTeacher.hidden_sizes = (4,)",
    "CriticTeacher.hidden_sizes = (8,)",
]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_runs_a_tiny_epoch(preset, tmp_path):
    settings = config.read([f"gin/{preset}"], TINY)
    ranks = Ranks()
    run = RunFolder(str(tmp_path), settings, ranks, config.complete_config)
    assert train(settings, ranks, run, StopRequest(announce=False))
    metrics = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert metrics["epoch"] == 1
    assert np.isfinite(metrics["return_mean"])
    again = config.read([str(tmp_path / "operative_config.gin")], [])
    assert again == settings


@pytest.mark.parametrize("preset", PRESETS)
def test_the_complete_config_makes_the_same_run(preset, tmp_path):
    settings = config.read([f"gin/{preset}"], [])
    written = tmp_path / "operative_config.gin"
    written.write_text(config.complete_config())
    assert config.read([str(written)], []) == settings
    # Complete: nothing in it is left to a default that may change.
    for field in dataclasses.fields(MetaTraining):
        assert f"\nmeta_train.{field.name} = " in written.read_text()


def test_presets_are_found_from_anywhere(tmp_path, monkeypatch):
    expected = config.read(["gin/reacher.gin"], [])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reacher").mkdir()  # the run of that preset, for instance
    assert config.read(["gin/reacher.gin"], []) == config.read(["reacher"], []) == expected
    assert config.read([str(PROJECT / "gin" / "reacher.gin")], []) == expected


def test_an_infinite_setting_is_stored_and_shown(tmp_path):
    bound = "RandomBody.velocity_bound = 1e999"
    settings = config.read(["own_robot"], [bound])
    assert settings.family.velocity_bound == math.inf
    written = tmp_path / "operative_config.gin"
    written.write_text(config.complete_config())
    assert bound in written.read_text().splitlines()
    assert config.read([str(written)], []) == settings
    phi = np.zeros(3, np.float32)
    described = describe(settings.inner_loop, settings.family, phi)
    assert json.loads(json_text(described))["family"]["settings"]["velocity_bound"] == "1e999"


def test_paper_gin_is_the_papers_numbers():
    settings = config.read(["gin/paper/literal.gin"], [])
    loop = settings.inner_loop
    assert (loop.num_updates, loop.steps_per_update, loop.buffer_size) == (512, 128, 128)
    assert settings.num_workers == 32
    assert [settings.guidance(epoch) for epoch in (1, 251, 501, 3000)] == [1.0, 0.5, 0.0, 0.0]


def test_later_files_and_then_bindings_win(tmp_path):
    mine = tmp_path / "mine.gin"
    mine.write_text("include 'gin/reacher.gin'\nInnerLoop.num_updates = 7\nmeta_train.seed = 1\n")
    settings = config.read([str(mine)], ["meta_train.seed = 5", "meta_train.seed = 6"])
    assert (settings.inner_loop.num_updates, settings.seed) == (7, 6)
    # And nothing of it is left for who reads next.
    settings = config.read(["gin/reacher.gin"], [])
    assert (settings.inner_loop.num_updates, settings.seed) == (512, 1)


def test_schedules_with_a_scope_can_stand_side_by_side():
    bindings = [
        "EvolutionStrategy.learning_rate = @rate/Linear()",
        "rate/Linear.start = 0.5",
        "rate/Linear.num_epochs = 2",
    ]
    settings = config.read(["tests/data/paper_reacher.gin"], bindings)
    assert callable(settings.strategy.learning_rate)
    assert settings.strategy.learning_rate(2) == 0.25
    assert settings.guidance(251) == 0.5


def test_a_schedule_may_have_several_pieces():
    bindings = [
        "meta_train.num_updates = @PiecewiseLinear()",
        "PiecewiseLinear.epochs = (2, 4, 5)",
        "PiecewiseLinear.values = (10, 20, 100)",
    ]
    settings = config.read(["tests/data/paper_reacher.gin"], bindings)
    found = [settings.num_updates_in(epoch) for epoch in range(1, 7)]
    assert found == [10, 10, 15, 20, 100, 100]


def test_an_ablation_changes_the_reachers_or_the_quickstarts_preset():
    lines = (PROJECT / "launch" / "ablations.sh").read_text().splitlines()
    runs = [shlex.split(line)[1:] for line in lines if re.match(r"evolve \w", line)]
    changed = {"base"}
    for preset in ("evolved/ablations", "quickstart"):
        configs = {name: config.read([f"gin/{preset}.gin"], of) for name, *of in runs}
        settings = {name: flatten(of) for name, of in configs.items()}
        changed |= {name for name, of in settings.items() if of != settings["base"]}
    assert changed == {name for name, *_ in runs} and len(changed) == len(runs) >= 5


@pytest.mark.parametrize(
    ("epochs", "values", "sentence"),
    [
        ((1, 1), (2, 3), "`PiecewiseLinear.epochs` (=(1, 1)) must rise."),
        ((), (), "`PiecewiseLinear.epochs` (=()) must rise."),
        ((1, 2), (3,), "`PiecewiseLinear.values` (=(3,)) must be as many as"),
        ((1, 2), (3, 0.4), "must map epoch 2 to a number within [1, inf]"),
        ((1, 2, 3), (3, 0, 3), "must map epoch 2 to a number within [1, inf]"),
        ((1, 2), "ab", "`PiecewiseLinear.values` (='ab')"),
    ],
)
def test_a_schedule_with_bad_pieces_is_refused(epochs, values, sentence):
    bindings = [
        "meta_train.num_updates = @PiecewiseLinear()",
        f"PiecewiseLinear.epochs = {epochs!r}",
        f"PiecewiseLinear.values = {values!r}",
    ]
    with pytest.raises(ValueError, match=re.escape(sentence)):
        config.read(["tests/data/paper_reacher.gin"], bindings)


BAD_BINDINGS = [  # what is bound, and two parts of what is said
    ("InnerLop.num_updates = 3", "=InnerLop.num_updates = 3", "'InnerLop'"),
    ("InnerLoop.num_update = 3", "=InnerLoop.num_update = 3", "'num_update'"),
    ("InnerLoop.num_updates 3", "=InnerLoop.num_updates 3", "parse"),
    ("InnerLoop.num_updates = x", "InnerLoop.num_updates = x", "'x'"),
    ("InnerLoop.num_updates = (3", "InnerLoop.num_updates = (3", "multi-line"),
    ("InnerLoop.num_updates = %three", "config", "'three"),
    ("meta_train.family = @RandomReachr()", "=meta_train.family", "'@RandomReachr()'"),
    ("include 'gin/nowhere.gin'", "gin/nowhere.gin", "Unable to open"),
    ("import os.nowhere", "import os.nowhere", "No module named 'os.nowhere'"),
    ("InnerLoop.num_updates = 0", "`InnerLoop.num_updates` (=0)", "must be a positive integer"),
    ("InnerLoop.num_updates = -3", "`InnerLoop.num_updates` (=-3)", "must be a positive integer"),
    ("InnerLoop.num_updates = 'all'", "`InnerLoop.num_updates` (='all')", "a positive integer"),
    ("InnerLoop.num_updates = 1e3", "`InnerLoop.num_updates` (=1000.0)", "a positive integer"),
    ("InnerLoop.num_updates = True", "`InnerLoop.num_updates` (=True)", "a positive integer"),
    ("InnerLoop.num_updates = None", "`InnerLoop.num_updates` (=None)", "a positive integer"),
    ("meta_train.num_workers = 0", "`meta_train.num_workers` (=0)", "must be a positive integer"),
    ("meta_train.num_workers = 31", "`num_workers` (=31)", "must be even with sampling='paired'"),
    ("meta_train.num_epochs = 0", "`meta_train.num_epochs` (=0)", "must be a positive integer"),
    ("meta_train.seed = -1", "`meta_train.seed` (=-1)", "must be an integer, 0 or more"),
    ("meta_train.compare_at_end = 'no'", "`meta_train.compare_at_end` (='no')", "True or False"),
    (
        "meta_train.threads_per_rank = '2'",
        "threads_per_rank` (='2')",
        "an integer, 0 or more, or None",
    ),
    ("meta_train.family = 3", "`meta_train.family` (=3)", "must be of type TaskFamily"),
    ("meta_train.family = @RandomHopper", "(=@RandomHopper)", "must be of type TaskFamily"),
    ("meta_train.strategy = @InnerLoop()", "(=@InnerLoop())", "must be of type Evolution"),
    ("meta_train.guidance = None", "`meta_train.guidance` (=None)", "must be of type Schedule"),
    ("meta_train.guidance = @Linear", "`meta_train.guidance` (=Linear)", "must map epoch 1"),
    ("meta_train.guidance = @Constant()", "`Constant.value`", "is missing"),
    ("Linear.start = 1.5", "`meta_train.guidance` (=Linear(start=1.5", "within [0, 1]"),
    ("meta_train.num_updates = 64", "`meta_train.num_updates` (=64)", "must be of type Schedule"),
    ("meta_train.num_updates = @Linear()", "`meta_train.num_updates` (=Linear(", "within [1, inf]"),
    ("Linear.start = 'one'", "`Linear.start` (='one')", "must be a number"),
    ("Linear.num_epochs = 0", "`Linear.num_epochs` (=0)", "must be a positive integer"),
    ("seed = 3", "`--gin_binding` (=seed = …) must name a setting", "such as meta_train.seed;"),
    ("InnerLoop.buffer_size = 64", "`InnerLoop.buffer_size` (=64)", "must be at least `Inner"),
    (
        "InnerLoop.buffer_size = 28; InnerLoop.steps_per_update = 28",
        "`InnerLoop.buffer_size` (=28)",
        "must be at least 29",
    ),
    (
        "EvolutionStrategy.learning_rate = @Constant(); Constant.value = -1",
        "`EvolutionStrategy.learning_rate` (=Constant(value=-1))",
        "must map epoch 1",
    ),
    ("InnerLoop.num_minibatches = 3", "`InnerLoop.num_minibatches` (=3)", "must divide"),
    ("InnerLoop.hidden_sizes = 64", "`InnerLoop.hidden_sizes` (=64)", "tuple of positive integers"),
    ("InnerLoop.hidden_sizes = (64, 0)", "`InnerLoop.hidden_sizes` (=0)", "positive integer"),
    (
        "InnerLoop.learning_rate = 'slow'",
        "`InnerLoop.learning_rate` (='slow')",
        "a finite positive number",
    ),
    ("InnerLoop.learning_rate = 0", "`InnerLoop.learning_rate` (=0)", "positive number"),
    ("InnerLoop.objective = 'best'", "`InnerLoop.objective` (='best')", "must be one of"),
    (
        "InnerLoop.mean_activation = 'relu'",
        "`InnerLoop.mean_activation` (='relu')",
        "must be one of None, 'tanh'",
    ),
    (
        "InnerLoop.observation_statistics = ((0.0, 0.0), (1.0,))",
        "`InnerLoop.observation_statistics` (=((0.0, 0.0), (1.0,)))",
        "must be as many means as standard deviations",
    ),
    (
        "InnerLoop.observation_statistics = ((0.0,), (0.01,))",
        "`InnerLoop.observation_statistics` (=((0.0,), (0.01,)))",
        "these at least 0.1",
    ),
    (
        "InnerLoop.observation_statistics = ((0.0,), (1.0,))",
        "`InnerLoop.observation_statistics` (of 1 numbers)",
        "must be of 10, as `RandomReacher` observes",
    ),
    ("InnerLoop.guide = @InnerLoop()", "config", "refers to itself"),
    ("InnerLoop.guide = 3", "`InnerLoop.guide` (=3)", "must be of type Guide"),
    ("LearnedLoss.inputs = 'policy'", "`LearnedLoss.inputs` (='policy')", "tuple of strings"),
    ("LearnedLoss.inputs = ('policy', 'rewards')", "`LearnedLoss.inputs`", "distinct names"),
    ("LearnedLoss.convolutions = (8, 7)", "(=(8, 7))", "tuple of tuples of 3 positive integers"),
    ("PPO.discount = 1.5", "`PPO.discount` (=1.5)", "must be a number in (0, 1]"),
    ("RandomReacher.link_length = (2, 1)", "(=(2, 1))", "0 < low <= high"),
    ("EvolutionStrategy.noise_std = 0", "`EvolutionStrategy.noise_std` (=0)", "positive number"),
    ("EvolutionStrategy.beta_1 = 'no'", "`EvolutionStrategy.beta_1` (='no')", "a number in [0, 1)"),
    ("EvolutionStrategy.sampling = 'both'", "(='both')", "must be one of 'independent', 'paired'"),
]


def sentence_of(files, bindings, capfd):
    """What config.read says of bad input; checks that it is one line, and all that is said."""
    with pytest.raises(ValueError) as error:
        config.read(files, bindings)
    sentence = str(error.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert "object at 0x" not in sentence
    assert capfd.readouterr() == ("", "")
    return sentence


@pytest.mark.parametrize(("binding", "name_and_value", "rule"), BAD_BINDINGS)
def test_a_bad_binding_gets_one_sentence(binding, name_and_value, rule, capfd):
    sentence = sentence_of(["tests/data/paper_reacher.gin"], binding.split("; "), capfd)
    assert name_and_value in sentence
    assert rule in sentence


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("include 'gin/reacher.gin'\n\nInnerLoop.num_updaes = 3\n", ("'num_updaes'", "line 3")),
        ("include 'gin/reacher.gin'\n\nInnerLop.num_updates = 3\n", ("'InnerLop'", "line 3")),
        ("include 'gin/reacher.gin'\nInnerLoop.num_updates =\n", ("parse", "line 2")),
        ("include 'gin/nowhere.gin'\n", ("gin/nowhere.gin", "line 1")),
        (b"\xff\xfe\x00", ("decode",)),
    ],
)
def test_a_mistake_in_a_file_is_named_with_its_place(text, says, tmp_path, capfd):
    path = tmp_path / "mine.gin"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    sentence = sentence_of([str(path)], [], capfd)
    for part in (f"`--gin_file` (={path})", *says):
        assert part in sentence


def test_a_file_that_is_not_there_gets_one_sentence(tmp_path, capfd):
    for path in (tmp_path / "nowhere.gin", tmp_path):
        sentence = sentence_of([str(path)], [], capfd)
        rule = f"`--gin_file` (={path}) must be an existing file, or the name of a preset: "
        assert sentence.startswith(rule) and ", reacher," in sentence
    assert "a preset (did you mean reacher?): " in sentence_of(["reachr"], [], capfd)


def test_a_preset_without_a_family_gets_one_sentence(capfd):
    sentence = sentence_of(["gin/paper/paper.gin"], [], capfd)
    assert sentence == "`meta_train.family` is missing: a preset must bind it."


@pytest.mark.parametrize("num_epochs", [10**9, 10**21])
def test_very_many_epochs_take_no_time_to_check(num_epochs):
    bindings = [f"meta_train.num_epochs = {num_epochs}", "Linear.num_epochs = 100"]
    assert config.read(["gin/reacher.gin"], bindings).num_epochs == num_epochs
    with pytest.raises(ValueError, match=re.escape(f"must map epoch {num_epochs} to a number")):
        config.read(
            ["tests/data/paper_reacher.gin"],
            [
                *bindings,
                "meta_train.num_updates = @PiecewiseLinear()",
                f"PiecewiseLinear.epochs = (1, {num_epochs})",
                "PiecewiseLinear.values = (2, 0)",
            ],
        )


def test_the_few_epochs_that_are_looked_at_have_the_extremes_of_a_schedule():
    rng = np.random.default_rng(0)
    for _ in range(50):
        epochs = np.unique(rng.uniform(-3, 40, size=5))
        schedule = PiecewiseLinear(tuple(epochs), tuple(rng.normal(size=len(epochs))))
        every = [schedule(epoch) for epoch in range(1, 31)]
        few = [schedule(epoch) for epoch in epochs_to_look_at(schedule, 30)]
        assert min(few) == pytest.approx(min(every)) and max(few) == pytest.approx(max(every))
    assert list(epochs_to_look_at(lambda epoch: epoch, 4)) == [1, 2, 3, 4]


def test_a_file_that_includes_itself_gets_one_sentence(tmp_path, capfd):
    loop = tmp_path / "loop.gin"
    loop.write_text(f"include '{loop}'\n")
    assert "a file includes itself" in sentence_of([str(loop)], [], capfd)


def test_bindings_of_what_nothing_uses_are_named(caplog):
    bindings = ["Linear.num_epochs = 7", "InnerLoop.num_updates = 4", "Reinforce.discount = 0.5"]
    config.read(["gin/reacher.gin"], bindings)
    assert caplog.messages == [
        "`Linear.num_epochs` is set, and nothing uses `Linear`.",
        "`Reinforce.discount` is set, and nothing uses `Reinforce`.",
    ]


def test_settings_of_a_file_that_nothing_uses_are_named(tmp_path, caplog):
    mine = tmp_path / "mine.gin"
    mine.write_text(
        "include 'gin/reacher.gin'\nRandomHopper.mass = (\n    1.0,\n    2.0,\n)\n"
        "K = 4\nmeta_train.seed = 3\nInnerLoop.num_updates = %K\n"
    )
    assert config.read([str(mine)], []).inner_loop.num_updates == 4
    assert caplog.messages == ["`RandomHopper.mass` is set, and nothing uses `RandomHopper`."]


@pytest.mark.parametrize(
    "binding",
    [
        "meta_train.num_workers = 1000000000",
        "InnerLoop.buffer_size = 1000000000",
        "InnerLoop.hidden_sizes = (64, 1000000000)",
        "LearnedLoss.hidden_size = 100000000",
    ],
)
def test_what_no_host_has_the_memory_for_is_refused(binding):
    settings = config.read(["gin/quickstart.gin"], [binding])
    name, _, value = binding.partition(" = ")
    with pytest.raises(ValueError) as error:
        require_memory(settings.inner_loop, settings.family, settings.num_workers)
    sentence = str(error.value)
    assert f"`{name}` (={value}" in sentence and "must fit into the host's memory" in sentence
    fitting = config.read(["gin/quickstart.gin"], [])
    require_memory(fitting.inner_loop, fitting.family, fitting.num_workers)


@pytest.mark.parametrize("preset", RIVALS)
def test_every_preset_of_a_rival_is_read_and_written_in_full(preset, tmp_path):
    settings = presets.read([f"gin/{preset}"], [])
    complete = tmp_path / "complete.gin"
    complete.write_text(config.complete_config())
    assert presets.read([str(complete)], []) == settings


def test_a_rival_that_is_missing_gets_a_sentence():
    with pytest.raises(ValueError, match=r"`train_rival.rival` is missing: a preset must bind it"):
        presets.read([], ["train_rival.family = @RandomReacher()"])


def test_settings_of_two_records_of_a_kind_are_told_apart():
    settings = config.read(["gin/taught/hopper.gin"], [])
    flat = flatten(settings)
    assert (flat["RandomHopper.frame_skip"], flat["ExpertTeacher.family.frame_skip"]) == (2, 8)
    other = config.read(["gin/taught/hopper.gin"], ["expert/RandomHopper.frame_skip = 4"])
    differs = differs_from_run(other, plain(flat))
    assert differs == "`ExpertTeacher.family.frame_skip` is 8 there and 4 here"
    assert not differs_from_run(settings, plain(flat))
