"""The notebook runs from top to bottom, on a loss that nobody evolved."""

import pathlib
import re

import nbformat
import pytest
from nbclient import NotebookClient

from epg_tf import config
from epg_tf.inner_loop.lifetime import Workers
from epg_tf.outer_loop.checkpoint import Checkpoint, CheckpointFolder

PATH = pathlib.Path(__file__).parent.parent / "examples" / "evolved_policy_gradients.ipynb"
TINY = {
    "InnerLoop.num_updates": 4,
    "InnerLoop.steps_per_update": 32,
    "InnerLoop.buffer_size": 32,
    "InnerLoop.num_minibatches": 1,
    "InnerLoop.hidden_sizes": (4,),
    "meta_train.num_workers": 2,
}


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """A tiny run and few tasks; nothing is left in anybody's home."""
    run = tmp_path / "run"
    settings = config.read(["gin/reacher.gin"], [f"{k} = {v}" for k, v in TINY.items()])
    phi = Workers(settings.inner_loop, settings.family, 1).draw_phi(7)
    state = settings.strategy.init(phi)
    CheckpointFolder(run / "checkpoints").save(Checkpoint(state, phi, 0.0, 0.0, 256, {}))
    (run / "operative_config.gin").write_text(config.complete_config())
    values = {"EPG_LOSS": run, "EPG_NUM_TASKS": 2, "EPG_SECONDS": 0.2, "TMPDIR": tmp_path}
    values |= {name: tmp_path / name for name in ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))


def outputs(notebook, name):
    """What a cell has shown, by kind."""
    (cell,) = [cell for cell in notebook.cells if cell.id == name]
    text = "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stdout")
    data = [o.data for o in cell.outputs if o.output_type == "execute_result"]
    return {"text": text, **(data[0] if data else {})}


def executed():
    """The notebook after all its cells have run, in the environment as it is."""
    notebook = nbformat.read(PATH, as_version=4)
    where = {"metadata": {"path": str(PATH.parent)}}
    NotebookClient(notebook, timeout=200, resources=where).execute()
    return notebook


def test_it_runs_and_shows_what_it_promises(environment):
    notebook = executed()
    assert "5,025 parameters, evolved on RandomReacher" in outputs(notebook, "loss")["text"]
    assert "It does not see: reward." in outputs(notebook, "loss")["text"]
    table = outputs(notebook, "table")["text"]
    for method in ("evolved loss, no reward", "random loss, no reward", "PPO"):
        assert f"{method:24} final return -" in table
    for name in ("plot", "pull"):
        assert outputs(notebook, name)["image/png"]
    drawn = outputs(notebook, "draw")
    assert "image/gif" in drawn or "must have EGL or OSMesa" in drawn["text/plain"]


def test_it_opens_on_a_loss_that_ships(environment, monkeypatch):
    monkeypatch.delenv("EPG_LOSS")
    table = outputs(executed(), "table")["text"]
    returns = dict(re.findall(r"(?m)^(\w+).* final return (-?[\d.]+)", table))
    assert float(returns["taught"]) > float(returns["random"])


def test_it_is_kept_without_what_it_showed():
    notebook = nbformat.read(PATH, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
