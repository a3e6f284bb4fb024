import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tensorflow.experimental.numpy as tnp

from epg_tf.loss.inputs import LossInputs, gated_observation
from epg_tf.loss.learned_loss import LearnedLoss

WITH_REWARD = ("observation", "action", "reward", "termination", "memory", "policy")


def random_inputs(num_workers=2, length=128, size=11, actions=3, reward=True, seed=0):
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return tf.constant(rng.normal(size=shape), tf.float32)

    return LossInputs(
        observation=normal(num_workers, length, size),
        action=normal(num_workers, length, actions),
        termination=tf.constant(rng.random((num_workers, length, 1)) < 0.05, tf.float32),
        policy=(normal(num_workers, length, actions), normal(num_workers, 1, actions)),
        memory=tf.tanh(normal(num_workers, 1, 32)),
        reward=normal(num_workers, length, 1) if reward else None,
    )


def network_of(settings, inputs, newest=128):
    network = settings.build(inputs.observation.shape[0])
    network(inputs, newest)
    network.assign(
        np.stack([network.draw(np.random.default_rng(w)) for w in range(network.num_workers)])
    )
    return network


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def numpy_loss(phi, inputs, worker, newest, conv=((8, 7, 8), (4, 2, 8))):
    """Fig. 2 and section 4.1, step by step, from the flat phi."""
    length = inputs.observation.shape[1]
    columns = [inputs.observation, inputs.action, inputs.termination, inputs.memory, *inputs.policy]
    rows = np.concatenate(
        [np.broadcast_to(c[worker], (length, c.shape[2])) for c in columns], axis=1
    )
    position = 0

    def take(*shape):
        nonlocal position
        values = phi[position : position + int(np.prod(shape))].reshape(shape)
        position += values.size
        return values

    features = rows
    for width, stride, channels in conv:
        kernel, bias = take(width, features.shape[1], channels), take(channels)
        starts = range(0, len(features) - width + 1, stride)
        features = leaky(
            np.array([np.tensordot(features[s : s + width], kernel, 2) for s in starts]) + bias
        )
    flat = features.ravel()
    context = flat @ take(len(flat), 32) + take(32)
    steps = np.concatenate([rows[-newest:], np.tile(context, (newest, 1))], axis=1)
    hidden = leaky(steps @ take(steps.shape[1], 16) + take(16))
    losses = hidden @ take(16, 1) + take(1)
    assert position == len(phi)
    return losses.mean()


def test_hopper_without_reward_has_7137_parameters():
    assert network_of(LearnedLoss(), random_inputs()).size == 7137


@pytest.mark.parametrize("newest", [128, 32])
def test_the_loss_is_that_of_figure_2(newest):
    inputs = random_inputs()
    network = network_of(LearnedLoss(), inputs)
    for worker in range(2):
        phi = network.draw(np.random.default_rng(worker))
        assert network(inputs, newest)[worker].numpy() == pytest.approx(
            numpy_loss(phi, inputs, worker, newest), rel=1e-4, abs=1e-5
        )


def test_the_reward_changes_no_bit_unless_asked_for():
    inputs = random_inputs()
    changed = inputs._replace(reward=inputs.reward * 1e6 + 3.0)
    blind = network_of(LearnedLoss(), inputs)
    np.testing.assert_array_equal(blind(inputs, 128), blind(changed, 128))
    np.testing.assert_array_equal(blind(inputs, 128), blind(inputs._replace(reward=None), 128))
    seeing = network_of(LearnedLoss(inputs=WITH_REWARD), inputs)
    assert np.all(seeing(inputs, 128).numpy() != seeing(changed, 128).numpy())


def test_the_gradient_reaches_the_policy_on_all_steps_and_the_memory_per_step_only():
    inputs = random_inputs()
    network = network_of(LearnedLoss(), inputs)
    mean = inputs.policy[0]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([mean, inputs.memory])
        loss = tf.reduce_sum(network(inputs, 32))
        context = tf.reduce_sum(network.context(inputs))
    on_steps = np.abs(tape.gradient(loss, mean)).sum(axis=(0, 2))
    assert np.all(on_steps[-32:] > 0)
    # Two strided convolutions leave the buffer's first steps to the context alone.
    assert np.all(on_steps[:90] > 0)
    assert tape.gradient(context, inputs.memory) is None
    assert np.all(np.abs(tape.gradient(loss, inputs.memory)) > 0)


def test_padding_changes_nothing():
    inputs = random_inputs()
    mask = np.ones((2, 128, 1), np.float32)
    mask[:, :70] = 0.0
    mask = tf.constant(mask)

    def garbage(values):
        return values * mask + 1e3 * (1.0 - mask)

    masked = inputs._replace(mask=mask)
    filled = masked._replace(
        observation=garbage(inputs.observation),
        action=garbage(inputs.action),
        termination=garbage(inputs.termination),
        policy=(garbage(inputs.policy[0]), inputs.policy[1]),
    )
    network = network_of(LearnedLoss(), inputs)
    np.testing.assert_array_equal(network(masked, 32), network(filled, 32))
    assert np.all(network(masked, 32).numpy() != network(inputs, 32).numpy())


def test_a_full_mask_is_no_mask():
    inputs = random_inputs()
    network = network_of(LearnedLoss(), inputs)
    full = inputs._replace(mask=tf.ones((2, 128, 1)))
    np.testing.assert_allclose(network(inputs, 32), network(full, 32), rtol=1e-4, atol=1e-5)


def test_the_confinement_is_added_to_the_networks_loss():
    inputs = random_inputs()
    plain, confined = (
        network_of(LearnedLoss(mean_penalty=kappa, log_std_penalty=weight), inputs)
        for kappa, weight in ((0.0, 0.0), (8.0, 0.5))
    )
    mean, log_std = (part.numpy() for part in inputs.policy)
    expected = 4.0 * np.square(mean).sum(2) + 0.5 * log_std.sum(2)
    found = confined.per_step(inputs) - plain.per_step(inputs)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_the_bilinear_term_is_added_and_is_nothing_at_first():
    inputs, rng = random_inputs(), np.random.default_rng(0)
    settings = LearnedLoss(("action", "memory", "policy", "observation"))
    plain = network_of(settings, inputs)
    bilinear = network_of(dataclasses.replace(settings, bilinear=True), inputs)
    np.testing.assert_array_equal(bilinear.per_step(inputs), plain.per_step(inputs))
    *_, kernel, bias = bilinear.phi_variables
    assert kernel.shape == (2, 3 + 11, 3)
    kernel.assign(rng.normal(size=kernel.shape))
    bias.assign(rng.normal(size=bias.shape))
    others = np.concatenate([inputs.action, inputs.observation], axis=2)
    expected = np.einsum("wta,wts,wsa->wt", inputs.policy[0], others, kernel)
    expected += np.einsum("wta,wa->wt", inputs.policy[0], bias[:, 0])
    found = bilinear.per_step(inputs) - plain.per_step(inputs)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_the_confinement_of_finite_actions_is_zero_where_all_are_equally_likely():
    logits = tf.constant(np.random.default_rng(0).normal(size=(2, 5, 3)), tf.float32)
    network = LearnedLoss(mean_penalty=8.0).build(2)
    centred = logits - tf.reduce_mean(logits, axis=2, keepdims=True)
    penalty = network.confinement((tf.nn.log_softmax(logits),))
    np.testing.assert_allclose(penalty, 4.0 * np.square(centred).sum(2), rtol=1e-5)
    np.testing.assert_allclose(network.confinement((tf.fill([2, 5, 3], -np.log(3.0)),)), 0.0)


@pytest.mark.parametrize("xp", [np, tnp])
def test_a_gate_is_the_correlation_of_the_reward_with_what_it_goes_with_most(xp):
    observation = np.random.default_rng(0).normal(size=(3, 50, 4)).astype(np.float32)
    reward = np.stack([3 - 2 * observation[0, :, 1], observation[1, :, 2], np.ones(50)])
    reward[1, 30:] *= -1  # of the newest 20 steps alone
    gated = gated_observation(xp, observation, np.float32(reward)[..., np.newaxis], 20)
    expected = np.concatenate([observation, np.ones((3, 50, 1))], axis=2)
    gate = np.array([-1.0, -1.0, 0.0])[:, np.newaxis, np.newaxis]
    np.testing.assert_allclose(gated, expected * gate, rtol=1e-4, atol=1e-5)


def test_without_context_a_step_stands_for_itself():
    inputs = random_inputs()
    network = network_of(LearnedLoss(context_size=0), inputs)
    one = network.per_step(inputs)[:, -1:]
    last = inputs._replace(
        observation=inputs.observation[:, -1:],
        action=inputs.action[:, -1:],
        termination=inputs.termination[:, -1:],
        policy=(inputs.policy[0][:, -1:], inputs.policy[1]),
    )
    np.testing.assert_allclose(network.per_step(last), one, rtol=1e-5)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"inputs": ("observation", "policy", "weather")}, "LearnedLoss.inputs"),
        ({"inputs": ("observation",)}, "must contain 'policy'"),
        ({"inputs": ("memory", "policy"), "bilinear": True}, "more than the policy and the memory"),
        ({"pooling": "max"}, "must be one of 'flatten', 'mean'"),
        ({"convolutions": ((8, 7),)}, "a tuple of tuples of 3 positive integers"),
        ({"convolutions": ()}, "must not be empty"),
        ({"hidden_size": 0}, "must be a positive integer"),
        ({"normalised": ("termination",)}, "LearnedLoss.normalised"),
    ],
)
def test_bad_settings_get_a_sentence(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        LearnedLoss(**values)
