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
NAMED_BY_USERS = ("tasks/environments/settings.py",)  # modules of their own
LAYERS = {  # folder or module -> the folders below it, of which it may know
    "rendering": (),
    "native": (),
    "tasks": ("native",),
    "agent": ("tasks", "native"),
    "loss": ("agent", "tasks"),
    "inner_loop": ("loss", "agent", "tasks", "native"),
    "teaching": ("inner_loop", "loss", "agent", "tasks"),
    "outer_loop": ("teaching", "inner_loop", "loss", "agent", "tasks"),
    "config": ("outer_loop", "teaching", "inner_loop", "loss", "tasks"),
    "evolved_loss": ("config", "outer_loop", "teaching", "inner_loop", "loss", "agent", "tasks"),
    "run": ("evolved_loss", "outer_loop", "inner_loop", "loss"),
    "drop_in": ("evolved_loss", "inner_loop", "agent"),
    "rivals": ("config", "run", "outer_loop", "teaching", "inner_loop", "loss", "agent", "tasks"),
    "evaluation": (
        *("rivals", "run", "evolved_loss", "outer_loop", "teaching", "inner_loop", "loss"),
        *("agent", "tasks", "rendering"),
    ),
}


def imports_of(module):
    """Full names of what a module imports, at any depth, for type checkers and by name too."""
    tree = ast.parse((PACKAGE / module).read_text())
    yield from imported_by_name(tree, module)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import hides what it imports"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_by_name(tree, module):
    """What `import_module` may import: all modules whose names begin as its argument does."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not ast.unparse(node.func).endswith("import_module"):
            continue
        name = node.args[0]
        known = name.values[0] if isinstance(name, ast.JoinedStr) else name
        if not isinstance(known, ast.Constant):
            assert module in NAMED_BY_USERS, f"{module}: nobody can tell what it imports"
            continue
        if not known.value.startswith("epg_tf"):
            yield known.value
            continue
        paths = (other.removesuffix("/__init__.py").removesuffix(".py") for other in MODULES)
        names = (f"epg_tf.{path.replace('/', '.')}" for path in paths)
        yield from (other for other in names if other.startswith(known.value))


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


def layer_of(module):
    return module.split("/")[0].removesuffix(".py")


@pytest.mark.parametrize("name", ["f'epg_tf.rivals.{x}'", "'epg_tf.rivals'"])
def test_an_import_by_name_counts(name):
    tree = ast.parse(f"importlib.import_module({name})")
    found = set(imported_by_name(tree, "here"))
    assert "epg_tf.rivals.no_action" in found
    assert all(found_name.startswith("epg_tf.rivals") for found_name in found)


def test_an_import_by_an_unknown_name_is_refused():
    with pytest.raises(AssertionError, match="nobody can tell"):
        list(imported_by_name(ast.parse("import_module(name)"), "here"))


@pytest.mark.parametrize("module", MODULES)
def test_each_third_party_has_one_door(module):
    for name in imports_of(module):
        third_party = name.split(".")[0]
        assert module.startswith(DOORS.get(third_party, "")), f"{module} imports {name}"
        if third_party == "matplotlib":
            file = pathlib.Path(module).name
            assert file.startswith("plot") or file == "returns_axis.py", f"{module} imports {name}"


@pytest.mark.parametrize("module", [m for m in MODULES if layer_of(m) in LAYERS])
def test_a_layer_knows_nothing_of_those_above_it(module):
    layer = layer_of(module)
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
        assert layer in map(layer_of, MODULES)
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
