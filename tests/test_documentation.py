"""The documentation: its commands, links, sentences and numbers of steps are true."""

import ast
import copy
import importlib.util
import pathlib
import re
import shlex
import subprocess
import sys
import tomllib

import pytest
from absl import flags

import epg_tf
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
    if name == "train" and "robot.gin" not in given["gin_file"] and not given["env"]:
        config.read([str(PROJECT / preset) for preset in given["gin_file"]], given["gin_binding"])


MARKDOWN = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")])


def anchors(page):
    """The anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"(?m)^#+ (.*)$", page.read_text())
    slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert len(set(slugs)) == len(slugs), "two headings have the same anchor"
    return slugs


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_a_link_leads_to_a_file_and_a_heading(page):
    text = re.sub(r"`[^`]*`(?!\])", "", page.read_text())
    for target, anchor in re.findall(r"\]\(([^)#\s:]*)(?:#([^)\s]*))?\)", text):
        path = (page.parent / target) if target else page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), f"{target}#{anchor}"


@pytest.mark.parametrize("page", [*PAGES, PROJECT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_a_file_that_a_page_names_is_there(page):
    names = re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.(?:gin|md|py|sh|txt|yaml))`", page.read_text())
    made_or_elsewhere = ("runs/", "http/", "driver/")  # a run makes them, or Horovod has them
    for name in (name for name in names if not name.startswith(made_or_elsewhere)):
        assert any([*PROJECT.glob(name.replace("NAME", "*")), *PROJECT.glob(f"epg_tf/{name}")]), (
            name
        )


def test_every_page_is_in_the_navigation_and_on_the_start_page():
    pages = {path.relative_to(PROJECT / "docs").as_posix() for path in PROJECT.glob("docs/**/*.md")}
    navigation = re.findall(r"(?m)^ +- (\S+\.md)$", (PROJECT / "mkdocs.yml").read_text())
    assert pages <= {*navigation}
    start = (PROJECT / "docs" / "index.md").read_text()
    listed = re.findall(r"\]\((\S+?\.md)\)", start)
    assert pages - {"index.md", *(name for name in pages if name.startswith("log/"))} <= {*listed}


def said():
    """All strings of the package and its scripts; in place of a value of an f-string stands …."""
    for path in PROJECT.glob("epg_tf/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = [getattr(part, "value", "…") for part in node.values]
                yield "".join(part if isinstance(part, str) else "…" for part in parts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value.replace("%s", "…")
    yield (PROJECT / "launch" / "setup.sh").read_text()


def quoted():
    text = (PROJECT / "docs" / "troubleshooting.md").read_text()
    return re.findall(r"(?m)^    ((?:epg_tf|setup|RuntimeError): .*|… .*)$", text)


@pytest.mark.parametrize("sentence", quoted())
def test_a_sentence_of_the_troubleshooting_page_is_one_of_the_code(sentence):
    corpus = "\n".join(said())
    for part in re.split(r"…| must | where Horovod |`[A-Z_]+` ", re.sub(r"^\w+: ", "", sentence)):
        words = part.strip(" `.:;")
        assert words in corpus, words


def test_the_table_of_presets_has_the_steps_of_each():
    text = (PROJECT / "docs" / "runs.md").read_text()
    rows = re.findall(r"(?m)^\| `(gin/\S+\.gin)` \|.*\| ([\d,.]+) \|[^|]*\|$", text)
    assert len(rows) > 20
    for preset, millions in rows:
        settings = config.read([str(PROJECT / preset)], [])
        steps = sum(map(settings.env_steps_in, range(1, settings.num_epochs + 1)))
        assert f"{steps / 1e6:,.1f}" == millions, preset


def test_no_two_evaluations_of_the_pages_share_a_folder():
    found = {}
    for page in PAGES:
        text = re.sub(r"\\\n\s*", "", page.read_text())
        for line in re.findall(r"(?m)^    (.*(?:epg_tf\.|epg-)(?:train|evaluate) .*)$", text):
            line = re.sub(r"^.*(?:epg_tf\.|epg-)", "", line)
            folder = re.findall(r"--root_dir (\S+)", line)[0]
            found.setdefault(folder, set()).add(line)
    for folder, lines in found.items():
        assert len(lines) == 1 or all(line.startswith("train") for line in lines), folder


def test_the_reference_knows_every_setting_of_the_presets():
    text = REFERENCE.settings()
    for preset in PROJECT.glob("gin/**/*.gin"):
        found = re.findall(r"(?m)^(?:\w+/)?(\w+)\.(\w+) =", preset.read_text())
        for record, setting in found:
            assert f"\n## {record}\n" in text, record
            fields = [field.name for field in REFERENCE.fields(config.SETTINGS[record])]
            assert setting in fields, f"{record}.{setting}"


def test_the_lock_has_a_hash_of_every_requirement():
    pins = re.findall(
        r"(?m)^([\w.-]+)(?:\[\w+\])?(==\S+)$", (PROJECT / "requirements.txt").read_text()
    )
    lock = (PROJECT / "launch" / "lock.txt").read_text()
    assert len(pins) > 50
    for name, version in pins:
        assert re.search(rf"(?m)^{re.escape(name + version)} \\\n    --hash=sha256:", lock), name


def test_the_package_lists_its_commands_and_knows_its_version():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    listed = subprocess.run(
        [sys.executable, "-m", "epg_tf"], capture_output=True, text=True, check=True
    ).stdout
    for script in project["scripts"]:
        name = script.removeprefix("epg-").replace("-", "_")
        assert re.search(rf"(?m)^  python -m epg_tf\.{name} +\w.*[.:]$", listed), name
    assert epg_tf.__version__ == project["version"]
