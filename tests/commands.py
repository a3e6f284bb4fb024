"""Commands as tests start them, the folders that they are given, and what they leave."""

import json
import pathlib
import subprocess
import sys

import tensorflow as tf
from absl import flags
from absl.testing import flagsaver

from epg_tf import config
from epg_tf.files import CONFIG_FILE
from epg_tf.inner_loop.lifetime import Workers
from epg_tf.outer_loop.checkpoint import Checkpoint, CheckpointFolder

PROJECT = pathlib.Path(__file__).parent.parent
HOROVODRUN = pathlib.Path(sys.executable).parent / "horovodrun"
# Four updates of 32 steps: a Reacher's episodes end with steps 50 and 100.
SHORT_LIVES = {
    "InnerLoop.num_updates": 4,
    "InnerLoop.steps_per_update": 32,
    "InnerLoop.buffer_size": 32,
    "InnerLoop.num_minibatches": 1,
    "InnerLoop.hidden_sizes": (4,),
    "meta_train.num_epochs": 1,
    "meta_train.num_workers": 2,
    "meta_train.guidance": "@Constant()",
    "Constant.value": 0.0,
}
# Settings of a loss that sees the reward, and of agents with guidance.
SEEING = {
    "LearnedLoss.inputs": ("observation", "action", "reward", "termination", "memory", "policy"),
    "Constant.value": 0.5,
}


def make_loss(folder, changes=None):
    """Makes the folder of a run with a loss that nobody evolved."""
    bindings = [f"{name} = {value}" for name, value in (SHORT_LIVES | (changes or {})).items()]
    settings = config.read(["tests/data/paper_reacher.gin"], bindings)
    phi = Workers(settings.inner_loop, settings.family, 1).draw_phi(7)
    state = settings.strategy.init(phi)
    folder.mkdir()
    CheckpointFolder(folder / "checkpoints").save(Checkpoint(state, phi, 0.0, 0.0, 640, {}))
    (folder / CONFIG_FILE).write_text(config.complete_config())
    return folder


def call(door, **flag_values):
    """Does in this process what `python -m epg_tf.<door>` does."""
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
    with flagsaver.flagsaver(**flag_values):
        door.main([door.__name__])


def execute(*arguments, timeout=200):
    """Runs a command in a process, from the project's folder."""
    command = [str(argument) for argument in arguments]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=timeout)


def everything_in(folder):
    """Every file below a folder, with its content and the time it was written."""
    return {
        path.relative_to(folder): (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
        for path in folder.rglob("*")
    }


def events_in(folder):
    """Yields the tag, step and value of each of TensorBoard's events, whether number or not."""
    for path in sorted(folder.glob("events*")):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                yield value.tag, event.step, tf.make_ndarray(value.tensor)


def scalars_in(folder):
    """The tag, step and value of each of TensorBoard's numbers."""
    return [
        (tag, step, value.item())
        for tag, step, value in events_in(folder)
        if value.shape == () and value.dtype.kind == "f"
    ]


def metrics_of(root):
    return [json.loads(line) for line in (root / "metrics.jsonl").read_text().splitlines()]


def summary_of(root):
    """The summary that a command leaves, in strict JSON."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads((root / "summary.json").read_text(), parse_constant=refuse)
