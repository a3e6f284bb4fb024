"""The recorded updates of the 2018 release: numbers that nobody here wrote (data/golden)."""

import dataclasses
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from epg_tf import config
from epg_tf.agent.experience import Experience
from epg_tf.inner_loop.batch import make_update_batch, refreshed_statistics, start_statistics
from epg_tf.inner_loop.learner import Learner
from epg_tf.tasks.hopper import RandomHopper

GOLDEN = pathlib.Path(__file__).parent / "data" / "golden"
CASES = ("update_alpha0", "update_alpha1", "update_alpha05_memory")
# Relative to the largest magnitude of each array. Measured: 4e-7 for what is computed once per
# update, 3e-5 for the learned loss and 4e-5 for the worst parameter after twelve Adam steps.
TOLERANCE = {"loss": 1e-4, "policy": 1e-4, "value_function": 1e-4, "memory": 1e-4}
TOLERANCE_ONCE = 1e-5

# The release's rows: 11 observation, 3 action, reward, constant, done; mean, log std, memory. Ours
# have no constant and put the context last.
_CONSTANT = 15
_TRAJECTORY = [*range(15), 16]
_CONVOLUTION_ROWS = [*_TRAJECTORY, *range(17, 55)]
_DENSE_ROWS = [*_TRAJECTORY, *range(17 + 32, 87), *range(17, 17 + 32)]


def load(case):
    with np.load(GOLDEN / f"{case}.npz") as data:
        return dict(data)


def our_phi(theta, constant):
    """The release's theta as our phi; what its constant column adds goes into the biases."""
    shapes = (
        (16, 87),
        (16,),
        (1, 16),
        (1,),
        (16, 55, 6),
        (16,),
        (32, 16, 4),
        (32,),
        (32, 32),
        (32,),
    )
    sizes = np.cumsum([np.prod(shape) for shape in shapes])
    parts = [
        part.reshape(shape) for part, shape in zip(np.split(theta, sizes[:-1]), shapes, strict=True)
    ]
    dense, dense_b, output, output_b, conv1, conv1_b, conv2, conv2_b, context, context_b = parts
    conv1_b = conv1_b + constant * conv1[:, _CONSTANT].sum(axis=1)
    dense_b = dense_b + constant * dense[:, _CONSTANT]
    ordered = [
        conv1[:, _CONVOLUTION_ROWS].transpose(2, 1, 0),
        conv1_b,
        conv2.transpose(2, 1, 0),
        conv2_b,
        context.T,
        context_b,
        dense[:, _DENSE_ROWS].T,
        dense_b,
        output.T,
        output_b,
    ]
    return np.concatenate([part.ravel() for part in ordered])


def constant_column(update):
    """What the release makes of its constant 1: normalised, it is nearly 0 but not quite."""
    seen = 128 * (update + 1)
    return (1.0 - seen / (seen + 0.01)) / 0.1


def recorded_weights(data, prefix):
    """The agent's weights in the order of our networks' variables."""
    policy = [data[f"{prefix}_pi_{kind}{i}"].T for i in range(3) for kind in "wb"]
    value = [data[f"{prefix}_vf_{kind}{i}"].T for i in range(3) for kind in "wb"]
    memory = [data[f"{prefix}_mem_w"].T, data[f"{prefix}_mem_b"]]
    return {
        "policy": [*policy, data[f"{prefix}_logstd"]],
        "value_function": value,
        "memory": memory,
    }


def experience_of(data, update, num_workers, slot):
    """The recorded steps in one slot, random ones in the others."""

    def fill(name, *shape):
        values = np.random.default_rng(7).normal(size=(num_workers, 128, *shape))
        values[slot] = data[f"u{update}_{name}"]
        return values.astype(np.float32)

    done = np.random.default_rng(8).random((num_workers, 128)) < 0.02
    done[slot] = data[f"u{update}_done"]
    observation = fill("obs", 11)
    return Experience(observation, fill("act", 3), fill("rew"), done, done, observation)


def close(ours, recorded, what):
    ours, recorded = np.squeeze(ours), np.squeeze(recorded)
    assert ours.shape == recorded.shape, what
    error = np.abs(ours - recorded).max() / max(np.abs(recorded).max(), 1e-12)
    assert error < TOLERANCE.get(what.split()[0], TOLERANCE_ONCE), (
        f"{what}: relative error {error:.1e}"
    )


@pytest.mark.parametrize(("num_workers", "slot"), [(1, 0), (3, 1)])
@pytest.mark.parametrize("case", CASES)
def test_every_quantity(case, num_workers, slot):
    """Normaliser, inputs, advantages, loss, KL and all parameters over three updates."""
    data = load(case)
    family = RandomHopper()
    preset = config.read(["gin/paper/openai2018.gin"], []).inner_loop
    settings = dataclasses.replace(preset, train_memory=bool(data["mem"]))
    learner = Learner(settings, family, num_workers)
    rngs = [np.random.default_rng(worker) for worker in range(num_workers)]
    phi = np.stack([learner.loss.draw(rng) for rng in rngs])
    agents = learner.agents.draw(rngs)
    views = iter(learner.agents.parts(agents.theta))
    theta = {k: [next(views) for _ in n.weights] for k, n in learner.agents.networks.items()}
    for name, weights in recorded_weights(data, "init").items():
        for view, weight in zip(theta[name], weights, strict=True):
            view[slot : slot + 1] = weight

    statistics = start_statistics(settings, family, num_workers)
    alpha = float(data["alpha"])
    for u in range(3):
        phi[slot] = our_phi(data["theta"], constant_column(u))
        learner.load(phi)
        experience = experience_of(data, u, num_workers, slot)
        statistics = refreshed_statistics(settings, statistics, experience, None)
        for name, columns in (("observation", slice(0, 11)), ("action", slice(11, 14))):
            close(statistics[name].mean[slot], data[f"u{u}_mean"][columns], f"mean {name} {u}")
            close(statistics[name].std[slot], data[f"u{u}_std"][columns], f"std {name} {u}")
        batch = make_update_batch(settings, experience, statistics, rngs, None, True)
        seen = [batch.observation, batch.action, batch.reward, batch.termination]
        close(np.concatenate(seen, axis=2)[slot], data[f"u{u}_traj"][:, _TRAJECTORY], f"inputs {u}")
        batch.permutation[slot] = data[f"u{u}_perm"]
        wide = learner.padded(batch)
        learner.agents.assign(agents.theta)
        before = learner.agents.policy(wide.observation)
        targets = learner.objective.targets(wide, before)
        ours = np.stack([targets.advantage[slot], targets.value[slot]])[:, data[f"u{u}_perm"]]
        for row, name in enumerate(("advantage", "value target")):
            close(ours[row], data[f"u{u}_at_vt_in_perm_order"][row], f"{name} {u}")

        loss, diverged = learner.descend(agents, batch, alpha)
        if alpha < 1.0:
            close(loss[slot], data[f"u{u}_loss"], f"loss {u}")
        learner.agents.assign(agents.theta)
        policy = learner.agents.policy
        after = policy.distribution(policy(wide.observation))
        kl = tf.reduce_mean(policy.distribution(before).kl_divergence(after), axis=1)
        np.testing.assert_allclose(kl[slot], data[f"u{u}_kl"], rtol=1e-2)
        assert not diverged.any()
        for name, weights in recorded_weights(data, f"u{u}").items():
            for i, (view, weight) in enumerate(zip(theta[name], weights, strict=True)):
                close(view[slot], weight, f"{name} {i} after update {u}")
