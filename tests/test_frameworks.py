"""L_phi in PyTorch and in JAX: the numbers and gradients of TensorFlow, and agents that learn.

They run in .venv_frameworks, which launch/frameworks.sh makes, and are skipped where it is not.
"""

import json
import pathlib
import subprocess

import numpy as np
import pytest
import tensorflow as tf

from epg_tf.evolved_loss.saved_model import export_loss
from epg_tf.inner_loop.networks import build_loss
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.reacher import RandomReacher

PROJECT = pathlib.Path(__file__).parent.parent
PYTHON = PROJECT / ".venv_frameworks" / "bin" / "python"
INPUTS = ("observation", "action", "reward", "termination", "memory", "policy")


REACHER = RandomReacher()
DISCRETE = DiscreteActions(REACHER)


def case(family=REACHER, loop=None, **loss):
    return InnerLoop(**(loop or {}), learned_loss=LearnedLoss(**loss)), family


CASES = {
    "paper": case(),
    "padded": case(loop={"buffer_size": 192, "steps_per_update": 64}),
    "mean": case(inputs=INPUTS, pooling="mean"),
    "silu": case(activation="silu"),
    "discrete": case(DISCRETE, mean_penalty=2.0),
    "confined": case(loop={"log_std_bounds": (-3.0, 0.0)}, mean_penalty=8.0, log_std_penalty=1.0),
    "gated": case(inputs=("observation", "gated_observation", "policy"), context_size=0),
    "bilinear": case(inputs=("action", "memory", "policy", "observation"), bilinear=True),
    "bilinear, discrete": case(DISCRETE, bilinear=True, mean_penalty=2.0),
    "single steps": case(inputs=("observation", "policy"), context_size=0),
}
THEIRS = {
    "torch": """
import torch
from evolved_loss_in_torch import EvolvedLoss
loss = EvolvedLoss(folder)
inputs = {name: torch.from_numpy(array) for name, array in inputs.items()}
for name in trained:
    inputs[name].requires_grad_()
values = loss.per_step_loss(**inputs)
loss(**inputs).backward()
found = {name: inputs[name].grad.numpy() for name in trained} | {"values": values.detach().numpy()}
""",
    "jax": """
import jax
from evolved_loss_in_jax import load, per_step_loss
about, phi = load(folder)
values = per_step_loss(about, phi, inputs)
newest = about["steps_per_update"]
whole = lambda some: per_step_loss(about, phi, inputs | some)[-newest:].mean()
found = jax.grad(whole)({name: inputs[name] for name in trained})
found = {name: np.asarray(one) for name, one in found.items()} | {"values": np.asarray(values)}
""",
}
PROGRAM = """
import pathlib, sys
import numpy as np
folder, inputs = pathlib.Path(sys.argv[1]), dict(np.load(sys.argv[2]))
trained = sys.argv[3].split(",")
{body}
np.savez(sys.argv[4], **found)
"""

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason="launch/frameworks.sh has not installed PyTorch and JAX"
)


def run(*arguments):
    return subprocess.run(
        [PYTHON, *map(str, arguments)],
        cwd=PROJECT / "examples",
        check=True,
        timeout=300,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


@pytest.mark.parametrize("framework", THEIRS)
@pytest.mark.parametrize("case", CASES)
def test_value_and_gradient_are_those_of_tensorflow(framework, case, tmp_path):
    settings, family = CASES[case]
    rng = np.random.default_rng(0)
    phi = build_loss(settings, family).draw(rng)
    phi += 0.1 * rng.standard_normal(len(phi), np.float32)  # no zeros in it
    export_loss(settings, family, phi, tmp_path / "loss")
    about = json.loads((tmp_path / "loss" / "loss.json").read_text())
    inputs = {
        one["name"]: rng.normal(size=one["shape"]).astype(np.float32) for one in about["inputs"]
    }
    if "mask" in inputs:
        inputs["mask"] = np.float32(np.arange(192) >= 64)[:, np.newaxis]
    trained = [one["name"] for one in about["inputs"] if one["trained"]]
    np.savez(tmp_path / "inputs.npz", **inputs)
    program = PROGRAM.format(body=THEIRS[framework])
    paths = tmp_path / "loss", tmp_path / "inputs.npz", ",".join(trained), tmp_path / "found.npz"
    run("-c", program, *paths)
    theirs = dict(np.load(tmp_path / "found.npz"))
    loss = tf.saved_model.load(str(tmp_path / "loss"))
    ours = {name: tf.constant(array) for name, array in inputs.items()}
    with tf.GradientTape() as tape:
        tape.watch([ours[name] for name in trained])
        value = loss.loss(**ours)
    gradients = tape.gradient(value, [ours[name] for name in trained])
    np.testing.assert_allclose(theirs["values"], loss.per_step_loss(**ours), rtol=1e-5, atol=1e-6)
    for name, gradient in zip(trained, gradients, strict=True):
        assert np.abs(gradient).max() > 1e-6
        np.testing.assert_allclose(theirs[name], gradient, atol=1e-6)


@pytest.mark.parametrize("framework", THEIRS)
def test_an_agent_learns_gymnasiums_reacher(framework):
    said = run(f"evolved_loss_in_{framework}.py", PROJECT / "losses" / "reacher")
    returns = [float(line.rpartition(" ")[2]) for line in said.splitlines()]
    assert returns[-1] > -20.0 and returns[-1] > returns[0]


@pytest.mark.parametrize("framework", THEIRS)
def test_an_example_fits_on_a_page(framework):
    text = (PROJECT / "examples" / f"evolved_loss_in_{framework}.py").read_text()
    assert len(text.splitlines()) <= 145
