"""The notebook runs from top to bottom, on a loss that ships."""

import pathlib
import re

import nbformat
import pytest
from nbclient import NotebookClient

PATH = pathlib.Path(__file__).parent.parent / "examples" / "evolved_policy_gradients.ipynb"


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """Few tasks and a short film; nothing is left in anybody's home."""
    values = {"EPG_NUM_TASKS": 2, "EPG_SECONDS": 0.2, "TMPDIR": tmp_path}
    values |= {name: tmp_path / name for name in ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))


def outputs(notebook, name):
    """What a cell has shown, by kind."""
    (cell,) = [cell for cell in notebook.cells if cell.id == name]
    text = "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stdout")
    data = [o.data for o in cell.outputs if o.output_type == "execute_result"]
    return {"text": text, **(data[0] if data else {})}


def test_it_runs_and_shows_what_it_promises(environment):
    notebook = nbformat.read(PATH, as_version=4)
    where = {"metadata": {"path": str(PATH.parent)}}
    NotebookClient(notebook, timeout=200, resources=where).execute()
    assert "parameters, evolved on RandomReacher" in outputs(notebook, "loss")["text"]
    assert "It does not see: action, reward, " in outputs(notebook, "loss")["text"]
    table = outputs(notebook, "table")["text"]
    for method in ("evolved loss, no reward", "random loss, no reward", "PPO"):
        assert f"{method:24} final return -" in table
    returns = dict(re.findall(r"(?m)^(\w+).* final return (-?[\d.]+)", table))
    assert float(returns["evolved"]) > float(returns["random"])
    for name in ("plot", "pull"):
        assert outputs(notebook, name)["image/png"]
    drawn = outputs(notebook, "draw")
    assert "image/gif" in drawn or "must have EGL or OSMesa" in drawn["text/plain"]


def test_it_is_kept_without_what_it_showed():
    notebook = nbformat.read(PATH, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
