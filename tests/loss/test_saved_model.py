import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from epg_tf.inner_loop import InnerLoop
from epg_tf.inner_update import Learner
from epg_tf.loss.inputs import LossInputs
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.loss.saved_model import export_loss
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.reacher import RandomReacher

WITH_REWARD = ("observation", "action", "reward", "termination", "memory", "policy")


def random_tensors(module, num_agents):
    rng = np.random.default_rng(0)
    signature = module.loss.structured_input_signature[1]
    return {
        name: tf.constant(rng.normal(size=[num_agents, *spec.shape[1:]]), tf.float32)
        for name, spec in signature.items()
    }


@pytest.mark.parametrize("num_agents", [1, 5])
@pytest.mark.parametrize(
    ("settings", "family"),
    [
        (InnerLoop(), RandomReacher()),
        (InnerLoop(buffer_size=192, steps_per_update=64), RandomReacher()),
        (InnerLoop(learned_loss=LearnedLoss(inputs=WITH_REWARD)), RandomReacher()),
        (InnerLoop(), DiscreteActions(RandomReacher())),
    ],
)
def test_loaded_and_live_loss_agree_in_value_and_gradient(settings, family, num_agents, tmp_path):
    learner = Learner(settings, family, num_agents)
    phi = learner.loss.draw(np.random.default_rng(3))
    export_loss(settings, family, phi, tmp_path / "loss")
    loaded = tf.saved_model.load(str(tmp_path / "loss"))
    tensors = random_tensors(loaded, num_agents)
    policy = [name for name in tensors if name.startswith("policy_")]
    # Structured signatures sort their names; a policy's output has an order of its own.
    parts = (
        sorted(policy, key=["policy_mean", "policy_log_std"].index) if len(policy) > 1 else policy
    )
    live_inputs = LossInputs(
        policy=tuple(tensors[name] for name in parts),
        mask=tf.ones_like(tensors["termination"]),
        **{name: tensors[name] for name in tensors if name not in policy},
    )
    network = settings.learned_loss.build(num_agents)
    network(live_inputs, settings.steps_per_update)
    network.assign(np.tile(phi, (num_agents, 1)))
    watched = [tensors[name] for name in [*parts, "memory"]]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(watched)
        live = network(live_inputs, settings.steps_per_update)
        exported = loaded.loss(**tensors)
    np.testing.assert_allclose(exported, live, rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(
        tape.gradient(exported, watched), tape.gradient(live, watched), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
        assert np.abs(ours).max() > 0
    per_step = loaded.per_step_loss(**tensors)
    np.testing.assert_allclose(
        tf.reduce_mean(per_step[:, -settings.steps_per_update :], axis=1),
        live,
        rtol=1e-4,
        atol=1e-6,
    )


def test_plain_tensorflow_loads_it_without_epg_tf(tmp_path):
    settings, family = InnerLoop(), RandomReacher()
    learner = Learner(settings, family, 1)
    export_loss(settings, family, learner.loss.draw(np.random.default_rng(0)), tmp_path / "loss")
    program = (
        "import sys; sys.modules['epg_tf'] = None\n"
        "import tensorflow as tf\n"
        f"loss = tf.saved_model.load({str(tmp_path / 'loss')!r})\n"
        "shapes = loss.signatures['loss'].structured_input_signature[1]\n"
        "print(loss.loss(**{n: tf.ones([2, *s.shape[1:]]) for n, s in shapes.items()}).shape)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout.strip() == "(2,)", result.stderr
