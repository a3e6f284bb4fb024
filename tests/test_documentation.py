"""The documentation: its commands name doors, flags, presets and losses that exist."""

import copy
import importlib.util
import pathlib
import re
import shlex

import pytest
from absl import flags

from epg_tf import config

PROJECT = pathlib.Path(__file__).parent.parent
PAGES = [PROJECT / "README.md", PROJECT / "WORKSPACE.md", *sorted(PROJECT.glob("docs/*.md"))]


def reference():
    path = PROJECT / "docs" / "generate_reference.py"
    spec = importlib.util.spec_from_file_location("generate_reference", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REFERENCE = reference()


def commands():
    """Every command line of the pages that calls a module of the project."""
    for page in PAGES:
        text = re.sub(r"\\\n\s*", "", page.read_text())
        for line in re.findall(r"(?m)^    .*python -m epg_tf\..*$", text):
            yield pytest.param(line.strip(), id=f"{page.name}: {line.strip()[:60]}")


@pytest.mark.parametrize("line", list(commands()))
def test_a_command_names_what_is_there(line):
    words = shlex.split(line, comments=True)
    name = words[words.index("-m") + 1].removeprefix("epg_tf.")
    assert name in REFERENCE.doors()
    values = flags.FlagValues()
    for flag in REFERENCE.key_flags(REFERENCE.door(name)):
        values[flag.name] = copy.deepcopy(flag)
    rest = values(["program", *words[words.index("-m") + 2 :]])
    assert rest == ["program"]
    given = {flag: values[flag].value for flag in values}
    for preset in given.get("gin_file") or []:
        assert (PROJECT / preset).exists() or preset in ("robot.gin", "operative_config.gin")
    loss = given.get("loss") or ""
    assert not loss.startswith("losses/") or (PROJECT / loss).is_dir()
    if name == "train" and "robot.gin" not in given["gin_file"]:
        config.read([str(PROJECT / preset) for preset in given["gin_file"]], given["gin_binding"])


@pytest.mark.parametrize(
    "page",
    sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")]),
    ids=lambda page: page.relative_to(PROJECT).as_posix(),
)
def test_a_link_to_a_file_leads_to_one(page):
    text = re.sub(r"`[^`]*`", "", page.read_text())
    for target in re.findall(r"\]\(([^)#\s:]+)(?:#\S*)?\)", text):
        assert (page.parent / target).exists(), target


def test_the_reference_knows_every_setting_of_the_presets():
    text = REFERENCE.settings()
    for preset in PROJECT.glob("gin/**/*.gin"):
        found = re.findall(r"(?m)^(?:\w+/)?(\w+)\.(\w+) =", preset.read_text())
        for record, setting in found:
            assert f"\n## {record}\n" in text, record
            fields = [field.name for field in REFERENCE.fields(REFERENCE.records()[record])]
            assert setting in fields, f"{record}.{setting}"


def test_the_lock_has_a_hash_of_every_requirement():
    pins = re.findall(
        r"(?m)^([\w.-]+)(?:\[\w+\])?(==\S+)$", (PROJECT / "requirements.txt").read_text()
    )
    lock = (PROJECT / "launch" / "lock.txt").read_text()
    assert len(pins) > 50
    for name, version in pins:
        assert re.search(rf"(?m)^{re.escape(name + version)} \\\n    --hash=sha256:", lock), name
