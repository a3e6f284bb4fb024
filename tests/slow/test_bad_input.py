"""A thousand wrong settings, files and flags: each one sentence, and nothing is left behind."""

import re
import string

import pytest
from commands import PROJECT, call
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from epg_tf import analyze, command_line, config, evaluate, export, render, report, train

RECORDS = {
    "InnerLoop": ("num_updates", "steps_per_update", "buffer_size", "hidden_sizes", "guide"),
    "LearnedLoss": ("inputs", "convolutions", "pooling", "context_size", "activation"),
    "EvolutionStrategy": ("noise_std", "learning_rate", "sampling", "shaping", "optimizer"),
    "meta_train": ("family", "num_epochs", "num_workers", "seed", "guidance", "teacher"),
    "RandomReacher": ("link_length", "target_angle"),
    "CriticTeacher": ("num_epochs", "discount", "hidden_sizes", "log_std_floor"),
    "ExpertTeacher": ("num_explorers", "ppo", "expert_learning_rate", "family"),
    "Constant": ("value",),
    "Nothing": ("that_is_there",),
}
SENTENCE = re.compile(r"[^\n]*[^\n.]\.")

pytestmark = pytest.mark.slow

values = st.one_of(
    st.integers(),
    st.integers(-3, 3),
    st.floats(),
    st.text(string.printable, max_size=12).map(repr),
    st.lists(st.one_of(st.integers(-2, 9), st.floats(), st.none()), max_size=4),
    st.lists(st.integers(-2, 9), max_size=3).map(tuple),
    st.sampled_from(["None", "True", "@PPO()", "@Nothing()", "@RandomReacher()", "%macro", "{}"]),
).map(lambda value: value if isinstance(value, str) else repr(value))
names = st.sampled_from(sorted(RECORDS)).flatmap(
    lambda record: st.sampled_from(RECORDS[record]).map(lambda setting: f"{record}.{setting}")
)
bindings = st.one_of(
    st.tuples(names, values).map(" = ".join),
    st.text(string.printable, max_size=30),
    st.tuples(st.text(string.ascii_letters + "._/", max_size=20), values).map(" = ".join),
)
many = settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
few = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


def assert_sentence(text):
    assert SENTENCE.fullmatch(text), text


@many
@given(st.lists(bindings, min_size=1, max_size=3))
def test_bindings_are_settings_or_a_sentence(some):
    try:
        config.read([str(PROJECT / "gin" / "reacher.gin")], some)
    except ValueError as error:
        assert_sentence(str(error))


@few
@given(st.one_of(st.binary(max_size=200), st.text(string.printable, max_size=200)))
def test_files_are_presets_or_a_sentence(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("gin") / "some.gin"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        config.read([str(file)], [])
    except ValueError as error:
        assert_sentence(str(error))


DOORS = {
    train: "gin_file",
    evaluate: "loss",
    analyze: "loss",
    export: "loss",
    report: "root_dir",
}


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_doors_say_a_sentence(door, tmp_path, capfd):
    name = DOORS[door]
    root = tmp_path / "results"

    @few
    @given(st.text(string.ascii_letters + string.digits + "/._- ", max_size=30))
    def refuse(value):
        given_values = {"root_dir": str(root), "gin_binding": [], "gin_file": []}
        given_values[name] = [value] if name == "gin_file" else f"{tmp_path}/{value}x"
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit_of:
            call(door, **given_values)
        assert exit_of.value.code == command_line.BAD_INPUT
        said = capfd.readouterr().err
        assert said.startswith("epg_tf: ")
        assert_sentence(said.removeprefix("epg_tf: ").rstrip("\n"))
        assert not root.exists()

    refuse()


def test_render_says_a_sentence_too(tmp_path, capfd):
    with pytest.raises(SystemExit) as exit_of:
        call(render, loss=str(tmp_path), root_dir=str(tmp_path / "films"), gin_binding=[])
    assert exit_of.value.code == command_line.BAD_INPUT
    assert_sentence(capfd.readouterr().err.removeprefix("epg_tf: ").rstrip("\n"))
