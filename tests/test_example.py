"""The examples in plain TensorFlow: agents learn from an exported loss; a loss evolves."""

import ast
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from epg_tf.evolved_loss.saved_model import export_loss
from epg_tf.inner_loop.networks import build_loss
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.reacher import RandomReacher

PROJECT = pathlib.Path(__file__).parent.parent
EXAMPLE = PROJECT / "examples" / "use_evolved_loss.py"
SHIPPED = PROJECT / "losses" / "reacher"
# The package is installed where the tests run: this makes every import of it fail.
PROGRAM = f"""
import runpy, sys
sys.modules["epg_tf"] = None
sys.argv = [{str(EXAMPLE)!r}, *sys.argv[1:]]
runpy.run_path({str(EXAMPLE)!r}, run_name="__main__")
"""


def run_example(*arguments):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def returns_of(result):
    assert result.returncode == 0, result.stderr
    found = re.findall(r"^update (\d+): return (-?[\d.]+)$", result.stdout, re.MULTILINE)
    assert len(found) == len(result.stdout.splitlines())
    return [float(value) for _, value in found]


def test_it_is_short_and_needs_tensorflow_and_gymnasium_alone():
    text = EXAMPLE.read_text()
    assert len(text.splitlines()) <= 90
    imported = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        assert not isinstance(node, ast.ImportFrom)
    assert imported == {"json", "os", "pathlib", "sys", "gymnasium", "numpy", "tensorflow"}


@pytest.mark.parametrize(("bounds", "least"), [(None, -45), ((-0.4, 0.0), -80)])
def test_it_learns_what_a_loss_teaches(bounds, least, tmp_path):
    # A loss that can be read: all that it asks for is less noise, and on a Reacher noise costs.
    settings = InnerLoop(
        num_updates=24,
        steps_per_update=64,
        buffer_size=64,
        num_minibatches=4,
        learning_rate=0.01,
        log_std_bounds=bounds,
        learned_loss=LearnedLoss(context_size=0, hidden_size=1),
    )
    phi = np.zeros(build_loss(settings, RandomReacher()).size, np.float32)
    phi[[-5, -4]] = 1.0  # of the hidden unit's kernel, the weights of both log standard deviations
    phi[-2] = 1.0  # the output's
    export_loss(settings, RandomReacher(), phi, tmp_path / "loss")
    returns = returns_of(run_example(tmp_path / "loss"))
    assert len(returns) == 3
    assert returns[0] < -70
    assert returns[-1] > least
    assert bounds is None or returns[-1] < -45  # noise of exp(-0.4) costs some 45 by itself


@pytest.mark.parametrize("given", [None, ((0.0,) * 10, (1.0,) * 10)])
def test_it_pads_a_long_buffer_and_keeps_means_in_the_box(given, tmp_path):
    settings = InnerLoop(
        num_updates=8,
        steps_per_update=32,
        buffer_size=80,
        num_passes=2,
        hidden_sizes=(4,),
        observation_statistics=given,
        mean_activation="tanh",
    )
    phi = build_loss(settings, RandomReacher()).draw(np.random.default_rng(0))
    export_loss(settings, RandomReacher(), phi, tmp_path / "loss")
    assert np.isfinite(returns_of(run_example(tmp_path / "loss", 1))).all()


def test_it_refuses_a_loss_for_other_actions(tmp_path):
    settings, family = InnerLoop(), DiscreteActions(RandomReacher())
    phi = build_loss(settings, family).draw(np.random.default_rng(0))
    export_loss(settings, family, phi, tmp_path / "loss")
    result = run_example(tmp_path / "loss")
    assert result.returncode == 1
    assert "must see no reward and be for the torques of a Reacher." in result.stderr
    assert "Traceback" not in result.stderr


def test_it_learns_from_the_shipped_loss():
    returns = returns_of(run_example(SHIPPED, 0))
    assert returns[-1] > returns[0] > -60  # from -110, in 1,024 steps and again as many
    assert returns[-1] > -20


@pytest.mark.parametrize("arguments", [[], ["nowhere"]])
def test_what_is_no_loss_gets_a_sentence(arguments):
    result = subprocess.run(
        [sys.executable, EXAMPLE, *arguments], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "must be a folder that epg_tf.export wrote" in result.stderr


def test_the_paper_in_one_file_evolves_a_loss_that_teaches():
    one_file = EXAMPLE.parent / "epg_in_one_file.py"
    result = subprocess.run(
        [sys.executable, one_file, "25"], capture_output=True, text=True, timeout=400, check=True
    )
    first, last = re.findall(r"held-out agents .*: (-[\d.]+)", result.stdout)
    assert float(last) > float(first) + 0.5
    assert "epg_tf" not in re.findall(r"(?m)^(?:import|from) (\w+)", one_file.read_text())
