"""Imports point one way, and each third party has one door."""

import ast
import graphlib
import importlib
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).parent.parent / "epg_tf"
MODULES = [path.relative_to(PACKAGE).as_posix() for path in sorted(PACKAGE.rglob("*.py"))]
BENCHMARKS = [
    f"../benchmarks/speed/{path.name}"
    for path in sorted(PACKAGE.parent.glob("benchmarks/speed/*.py"))
]

DOORS = {  # third party -> the only places that may import it
    "gin": ("config.py",),
    "horovod": ("ranks.py", "command_line/local_ranks.py"),
    "numba": ("native/",),
    "llvmlite": ("native/",),
    "mujoco": ("tasks/", "rendering/"),
}
KNOWS_NOTHING = (
    "checks",
    "files",
    "ranks",
    "schedules",
    "seeds",
    "statistics",
    "text",
)  # of the project
LAYERS = {  # folder -> the folders below it, of which it may know
    "rendering": (),
    "native": (),
    "tasks": ("native",),
    "agent": ("tasks", "native"),
    "loss": ("agent", "tasks"),
    "inner_loop": ("loss", "agent", "tasks", "native"),
    "teaching": ("inner_loop", "loss", "agent", "tasks"),
    "outer_loop": ("teaching", "inner_loop", "loss", "agent", "tasks"),
    "evolved_loss": ("config", "outer_loop", "teaching", "inner_loop", "loss", "agent", "tasks"),
    "run": ("evolved_loss", "outer_loop", "inner_loop", "loss"),
    "drop_in": ("evolved_loss",),
    "rivals": ("run", "outer_loop", "teaching", "inner_loop", "loss", "agent", "tasks"),
    "evaluation": (
        *("rivals", "run", "evolved_loss", "outer_loop", "teaching", "inner_loop", "loss"),
        *("agent", "tasks", "rendering"),
    ),
}


def imports_of(module):
    """Full names of what a module imports, at any depth, for type checkers too."""
    for node in ast.walk(ast.parse((PACKAGE / module).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import hides what it imports"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports_of(module):
    """The modules of the project that a module imports, as paths."""
    for name in imports_of(module):
        parts = name.split(".")[1:] if name.startswith("epg_tf.") else []
        for end in range(len(parts), 0, -1):
            path = "/".join(parts[:end])
            found = [m for m in (f"{path}.py", f"{path}/__init__.py") if m in MODULES]
            if found:
                yield found[0]
                break


@pytest.mark.parametrize("module", MODULES)
def test_each_third_party_has_one_door(module):
    for name in imports_of(module):
        third_party = name.split(".")[0]
        assert module.startswith(DOORS.get(third_party, "")), f"{module} imports {name}"
        if third_party == "matplotlib":
            file = pathlib.Path(module).name
            assert file.startswith("plot") or file == "returns_axis.py", f"{module} imports {name}"


@pytest.mark.parametrize("module", [m for m in MODULES if m.split("/")[0] in LAYERS])
def test_a_layer_knows_nothing_of_those_above_it(module):
    layer = module.split("/")[0]
    ours = {path.split("/")[0].removesuffix(".py") for path in own_imports_of(module)}
    assert ours <= {layer, *LAYERS[layer], *KNOWS_NOTHING}


@pytest.mark.parametrize("module", [f"{name}.py" for name in KNOWS_NOTHING])
def test_what_knows_nothing_of_the_project_does_not(module):
    ours = {path.removesuffix(".py") for path in own_imports_of(module)}
    assert ours <= set(KNOWS_NOTHING)


def test_no_module_imports_itself_by_way_of_others():
    graph = {module: set(own_imports_of(module)) - {module} for module in MODULES}
    assert list(graphlib.TopologicalSorter(graph).static_order())  # or a CycleError that names it


@pytest.mark.parametrize("module", MODULES)
def test_nothing_needs_the_benchmark(module):
    assert not any(name.split(".")[0] == "benchmarks" for name in imports_of(module))


def test_no_folder_has_too_much_in_it():
    for folder in {path.parent for path in PACKAGE.rglob("*") if path.parent.name != "__pycache__"}:
        files = [path for path in folder.iterdir() if path.is_file()]
        assert len(files) <= 16, f"{folder.name} has {len(files)} files"
    for module in MODULES:
        assert len((PACKAGE / module).read_text().splitlines()) <= 400, module


def test_the_rules_are_about_what_is_there():
    for layer in LAYERS:
        assert f"{layer}/__init__.py" in MODULES
    assert BENCHMARKS
    for third_party in ("gin", "horovod", "mujoco"):
        users = [m for m in MODULES if third_party in {n.split(".")[0] for n in imports_of(m)}]
        assert users, f"nobody imports {third_party}"


@pytest.mark.parametrize("module", [*MODULES, *BENCHMARKS])
def test_what_is_imported_is_there(module):
    for name in imports_of(module):
        parent, _, attribute = name.rpartition(".")
        if name.startswith(("epg_tf.", "benchmarks.")):
            found = importlib.import_module(parent)
            if not hasattr(found, attribute):
                importlib.import_module(name)
