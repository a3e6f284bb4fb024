import numpy as np
import pytest
import tensorflow as tf

from epg_tf.evaluation.analysis.sensitivity import (
    phases_of_learning,
    position_of_step,
    sensitivity,
)
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.inputs import LossInputs
from epg_tf.loss.learned_loss import LearnedLoss

SIZES = {"observation": 3, "action": 2, "reward": 1, "termination": 1, "memory": 4, "policy": 2}
LENGTH = 32
SEEING = LearnedLoss(inputs=tuple(SIZES))
BLIND = LearnedLoss()


def random_inputs(seed=0):
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return tf.constant(rng.normal(size=(2, *shape)), tf.float32)

    return LossInputs(
        observation=normal(LENGTH, SIZES["observation"]),
        action=normal(LENGTH, SIZES["action"]),
        termination=normal(LENGTH, 1),
        policy=(normal(LENGTH, SIZES["policy"]), normal(1, SIZES["policy"])),
        memory=normal(1, SIZES["memory"]),
        reward=normal(LENGTH, 1),
        mask=tf.ones([2, LENGTH, 1]),
    )


def network_of(settings, inputs):
    network = settings.build(2)
    network(inputs, LENGTH)
    network.assign(np.stack([network.draw(np.random.default_rng(w)) for w in range(2)]))
    return network


def columns_of(settings, inputs, worker):
    """What the loss sees at every step, [N, D] float64, and which columns are of which kind."""
    columns, kinds = [], []
    for kind in settings.inputs:
        value = getattr(inputs, kind)
        for part in value if isinstance(value, tuple) else (value,):
            part = part.numpy()[worker].astype(np.float64)
            columns.append(np.broadcast_to(part, (LENGTH, part.shape[1])))
            kinds += [kind] * part.shape[1]
    return np.concatenate(columns, axis=1), np.array(kinds)


def leaky(x):
    return np.where(x > 0.0, x, 0.2 * x)


def loss_of_step(settings, weights, own, seen):
    """L_t in double precision: `own` [D] is what step t shows, `seen` [N, D] the convolutions'."""
    features = seen
    for width, stride, _ in settings.convolutions:
        kernel, bias, *weights = weights
        starts = range(0, len(features) - width + 1, stride)
        features = np.array([np.tensordot(features[s : s + width], kernel, 2) for s in starts])
        features = leaky(features + bias)
    kernel, bias, *weights = weights
    context = features.ravel() @ kernel + bias[0]
    hidden = leaky(np.concatenate([own, context]) @ weights[0] + weights[1][0])
    return (hidden @ weights[2] + weights[3][0]).item()


def norms_by_differences(settings, network, inputs, worker, position, through_context_alone):
    """Central differences of L_t in every number of every step, [kinds, N] norms."""
    rows, kinds = columns_of(settings, inputs, worker)
    weights = [v.numpy()[worker].astype(np.float64) for v in network.phi_variables]
    derivative = np.zeros_like(rows)
    for place in np.ndindex(*rows.shape):
        values = []
        for step in (1e-6, -1e-6):
            moved = rows.copy()
            moved[place] += step
            own = rows[position] if through_context_alone else moved[position]
            values.append(loss_of_step(settings, weights, own, moved))
        derivative[place] = (values[0] - values[1]) / 2e-6
    return np.stack(
        [np.linalg.norm(derivative[:, kinds == kind], axis=1) for kind in settings.inputs]
    )


@pytest.mark.parametrize("settings", [BLIND, SEEING])
def test_the_norms_are_those_of_finite_differences(settings):
    inputs, position, worker = random_inputs(), 20, 1
    network = network_of(settings, inputs)
    total, through = (norms.numpy()[worker] for norms in sensitivity(network, inputs, position))
    assert total.shape == through.shape == (len(settings.inputs), LENGTH)
    # Single precision against double: about six digits.
    for ours, alone in ((total, False), (through, True)):
        theirs = norms_by_differences(settings, network, inputs, worker, position, alone)
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-7)


def test_only_its_own_step_matters_directly():
    inputs = random_inputs()
    total, through = map(np.array, sensitivity(network_of(BLIND, inputs), inputs, 20))
    elsewhere = np.arange(LENGTH) != 20
    np.testing.assert_array_equal(total[..., elsewhere], through[..., elsewhere])
    assert np.all(total[..., 20] != through[..., 20])
    # Strides leave the newest of 32 steps out: the last convolution's last frame ends before them.
    assert np.all(through[..., :29] > 0.0)
    assert not np.any(through[..., 29:])


def test_without_a_context_the_other_steps_do_not_matter():
    settings = LearnedLoss(context_size=0)
    inputs = random_inputs()
    total, through = sensitivity(network_of(settings, inputs), inputs, 3)
    assert not np.any(through)
    assert np.all(total[..., 3] > 0.0)
    assert np.count_nonzero(total) == total[..., 3].numpy().size


def test_an_agents_sensitivity_is_its_own():
    inputs = random_inputs()
    network = network_of(BLIND, inputs)
    other = inputs._replace(observation=inputs.observation * [[[1.0]], [[2.0]]])
    for ours, theirs in zip(
        sensitivity(network, inputs, 20), sensitivity(network, other, 20), strict=True
    ):
        np.testing.assert_array_equal(ours[0], theirs[0])
        assert np.any(ours[1] != theirs[1])


def test_the_step_is_the_papers_25th_of_the_newest():
    assert position_of_step(InnerLoop()) == 25
    assert position_of_step(InnerLoop(buffer_size=256)) == 153
    assert position_of_step(InnerLoop(steps_per_update=16, buffer_size=32)) == 31


def test_early_and_late_find_the_buffer_full():
    assert phases_of_learning(InnerLoop(num_updates=64)) == {
        "early": range(1, 9),
        "late": range(57, 65),
    }
    short = InnerLoop(num_updates=5, buffer_size=300)
    assert phases_of_learning(short) == {"early": range(3, 4), "late": range(5, 6)}
    with pytest.raises(ValueError, match=r"`InnerLoop.num_updates` \(=2\) must be at least 3"):
        phases_of_learning(InnerLoop(num_updates=2, buffer_size=300))
