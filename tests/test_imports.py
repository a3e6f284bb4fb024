"""Imports point one way, and each third party has one door."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).parent.parent / "epg_tf"
MODULES = [path.relative_to(PACKAGE).as_posix() for path in sorted(PACKAGE.rglob("*.py"))]

DOORS = {  # third party -> the only places that may import it
    "gin": ("config.py",),
    "horovod": ("evolution/ranks.py",),
    "mujoco": ("tasks/", "rendering/", "benchmarking/open_loop.py"),
    "matplotlib": ("evaluation/plots/",),
}
LAYERS = {  # folder -> all that it may know of epg_tf
    "tasks": ("tasks", "checks"),
    "agent": ("agent", "tasks", "checks"),
    "loss": ("loss", "agent", "tasks", "checks"),
    "rendering": ("rendering",),
    "evolution": ("evolution", "checks", "schedules"),
}


def imports_of(module):
    """Full names of what a module imports, at any depth, but not for type checkers alone."""
    tree = ast.parse((PACKAGE / module).read_text())
    unseen = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if node in unseen:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import hides what it imports"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("module", MODULES)
def test_each_third_party_has_one_door(module):
    for name in imports_of(module):
        third_party = name.split(".")[0]
        assert module.startswith(DOORS.get(third_party, "")), f"{module} imports {name}"


@pytest.mark.parametrize("module", [m for m in MODULES if m.split("/")[0] in LAYERS])
def test_a_layer_knows_nothing_of_those_above_it(module):
    ours = [name.split(".")[1] for name in imports_of(module) if name.startswith("epg_tf.")]
    assert set(ours) <= set(LAYERS[module.split("/")[0]])


@pytest.mark.parametrize("module", MODULES)
def test_nothing_needs_the_benchmark(module):
    if not module.startswith("benchmark"):
        assert not any(name.startswith("epg_tf.benchmark") for name in imports_of(module))


def test_the_rules_are_about_what_is_there():
    for layer in LAYERS:
        assert f"{layer}/__init__.py" in MODULES
    for third_party in ("gin", "horovod", "mujoco"):
        users = [m for m in MODULES if third_party in {n.split(".")[0] for n in imports_of(m)}]
        assert users, f"nobody imports {third_party}"
