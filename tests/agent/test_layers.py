import numpy as np
import pytest
import tensorflow as tf

from epg_tf.agent.agents import Agents
from epg_tf.agent.layers import WorkerConv1D, WorkerDense, lecun_normal, unit_columns


def with_random_weights(layer, inputs):
    layer(inputs)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=w.shape).astype(np.float32) for w in layer.get_weights()])
    return layer


def test_dense_gives_each_worker_its_own_weights():
    inputs = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
    layer = with_random_weights(WorkerDense(3, 2, unit_columns(), activation=tf.tanh), inputs)
    kernel, bias = layer.get_weights()
    for worker in range(3):
        expected = np.tanh(inputs[worker] @ kernel[worker] + bias[worker])
        np.testing.assert_allclose(layer(inputs)[worker], expected, rtol=1e-5)


def test_convolution_equals_a_loop_over_positions():
    inputs = np.random.default_rng(0).normal(size=(2, 20, 3)).astype(np.float32)
    layer = with_random_weights(WorkerConv1D(2, 4, 8, 3, kernel_rule=lecun_normal()), inputs)
    kernel, bias = layer.get_weights()
    starts = range(0, 20 - 8 + 1, 3)
    assert layer.output_length(20) == len(starts)
    for worker in range(2):
        expected = [
            np.einsum("ti,tio->o", inputs[worker, start : start + 8], kernel[worker])
            for start in starts
        ]
        np.testing.assert_allclose(
            layer(inputs)[worker], np.array(expected) + bias[worker], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(
    "make",
    [
        lambda: WorkerDense(2, 4, unit_columns()),
        lambda: WorkerConv1D(2, 4, 8, 3, kernel_rule=lecun_normal()),
    ],
)
def test_an_input_constant_in_time_counts_as_if_it_were_repeated(make):
    rng = np.random.default_rng(0)
    varying = rng.normal(size=(2, 20, 3)).astype(np.float32)
    constant = rng.normal(size=(2, 1, 5)).astype(np.float32)
    layer = with_random_weights(make(), [varying, constant])
    repeated = np.repeat(constant, 20, axis=1)
    np.testing.assert_allclose(
        layer([varying, constant]), layer([varying, repeated]), rtol=1e-4, atol=1e-5
    )


def test_first_weights_follow_the_rule_and_the_workers_own_generator():
    agents = Agents(3, observation_size=5, action_size=2)
    agents.assign(agents.draw([np.random.default_rng(seed) for seed in (4, 5, 4)]).theta)
    *mean, log_std = agents.policy.get_weights()
    kernels, biases = mean[::2], mean[1::2]
    for kernel, norm in zip(kernels, (1.0, 1.0, 0.01), strict=True):
        np.testing.assert_allclose(np.linalg.norm(kernel, axis=1), norm, rtol=1e-5)
        np.testing.assert_array_equal(kernel[0], kernel[2])
        assert not np.array_equal(kernel[0], kernel[1])
    assert all(not bias.any() for bias in biases)
    assert log_std.shape == (3, 1, 2) and not log_std.any()
    assert agents.memory(None).shape == (3, 1, 32)


def test_lecun_normal_has_variance_one_over_fan_in():
    kernel = lecun_normal()(np.random.default_rng(0), (8, 50, 40))
    assert kernel.var() == pytest.approx(1 / 400, rel=0.05)
