"""Gradient steps by machine code of our own, held to those of TensorFlow."""

import dataclasses

import numpy as np
import pytest
from test_learner import MANY_STEPS, random_batch

from epg_tf.inner_loop.learner import Learner
from epg_tf.inner_loop.lifetime import Workers
from epg_tf.inner_loop.native.learner import NativeLearner
from epg_tf.inner_loop.networks import build_agents, build_loss
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.hopper import RandomHopper
from epg_tf.tasks.reacher import RandomReacher

ROUGH = dataclasses.replace(
    MANY_STEPS,
    buffer_size=64,
    hidden_sizes=(33, 20, 7),
    mean_activation=None,
    log_std_bounds=None,
    learned_loss=LearnedLoss(
        inputs=("action", "policy", "reward", "termination", "observation"),
        context_size=0,
        hidden_size=21,
    ),
)
NOT_DEEP = dataclasses.replace(MANY_STEPS, hidden_sizes=(), num_minibatches=1, num_passes=9)
PAPER = InnerLoop(num_minibatches=4)
LONG = dataclasses.replace(  # a buffer that is longer than an update, and not full at first
    MANY_STEPS,
    buffer_size=100,
    learned_loss=LearnedLoss(
        inputs=("memory", "reward", "policy"),
        convolutions=((3, 2, 5), (2, 2, 9), (2, 1, 3)),
        pooling="mean",
        activation="silu",
    ),
)
HELD = dataclasses.replace(
    MANY_STEPS,
    train_memory=False,
    learned_loss=LearnedLoss(
        ("memory", "policy"), convolutions=((1, 1, 64),), pooling="mean", context_size=4
    ),
)
MEMORY = dataclasses.replace(
    MANY_STEPS, learned_loss=LearnedLoss(("policy", "memory"), context_size=0)
)
CONFINED = dataclasses.replace(
    MANY_STEPS,
    mean_activation=None,
    log_std_bounds=(-1.0, 0.0),
    learned_loss=dataclasses.replace(
        MANY_STEPS.learned_loss, mean_penalty=3.0, log_std_penalty=0.5
    ),
)
GATED = dataclasses.replace(
    LONG, learned_loss=LearnedLoss(("observation", "gated_observation", "policy"))
)
BILINEAR = dataclasses.replace(
    HELD,
    learned_loss=LearnedLoss(
        ("action", "memory", "policy", "observation"), context_size=0, bilinear=True
    ),
)
CONFINED_WITH_CONTEXT = dataclasses.replace(
    LONG,
    learned_loss=dataclasses.replace(LONG.learned_loss, mean_penalty=8.0, log_std_penalty=1.0),
)
SETTINGS = {
    "many steps": MANY_STEPS,
    "rough": ROUGH,
    "not deep": NOT_DEEP,
    "paper": PAPER,
    "long": LONG,
    "held": HELD,
    "memory": MEMORY,
    "confined": CONFINED,
    "gated": GATED,
    "bilinear": BILINEAR,
    "confined, with context": CONFINED_WITH_CONTEXT,
}
by_settings = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)


def drawn(loss, rng):
    """A phi of which nothing is zero."""
    phi = loss.draw(rng)
    return phi + 0.1 * rng.standard_normal(len(phi), np.float32)


class Group:
    """Agents that learn by one backend."""

    def __init__(self, backend, phi, agents, networks):
        backend.load(phi)
        self.backend, self.agents, self._networks = backend, agents, networks

    def update(self, batch):
        """Returns the loss, and which workers diverged."""
        return self.backend.descend(self.agents, batch, 0.0)

    def weights(self):
        """Copies of the weights of policies and memories, each [W, ...]."""
        trained = len(self._networks.policy.weights) + len(self._networks.memory.weights)
        return self._networks.parts(self.agents.theta.copy())[:trained]

    @property
    def log_std(self):
        return self.weights()[-3]


def groups(settings, workers, family):
    """The same agents with either backend."""
    networks, loss = build_agents(settings, family), build_loss(settings, family)
    phi = np.stack([drawn(loss, np.random.default_rng([w, 5])) for w in workers])
    return [
        Group(
            backend,
            phi,
            networks.draw([np.random.default_rng([w, 6]) for w in workers]),
            networks,
        )
        for backend in (Learner(settings, family, len(workers)), NativeLearner(settings, family))
    ]


def assert_same_agents(ours, theirs, tolerance=2e-3):
    for a, b in zip(ours.weights(), theirs.weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=tolerance, rtol=tolerance)


@by_settings
def test_it_takes_the_steps_that_tensorflow_takes(settings):
    family = RandomHopper() if settings in (ROUGH, PAPER, HELD) else RandomReacher()
    reference, native = groups(settings, range(3), family)
    before = native.weights()
    for seed in range(2):
        batch = random_batch(settings, range(3), family, seed=seed)
        (expected, _), (loss, diverged) = reference.update(batch), native.update(batch)
        np.testing.assert_allclose(loss, expected, rtol=1e-3, atol=1e-4)
        assert not diverged.any()
    assert_same_agents(native, reference)
    moved = [np.abs(a - b).max() for a, b in zip(before, native.weights(), strict=True)]
    assert min(moved[:-2]) > 1e-3  # the policy; not all losses reach the memory
    if settings.log_std_bounds == MANY_STEPS.log_std_bounds:
        assert np.abs(native.log_std).max() == np.float32(settings.log_std_bounds[1])


@by_settings
def test_a_lone_worker_takes_the_steps_it_takes_among_many(settings):
    _, many = groups(settings, range(7), RandomReacher())
    _, one = groups(settings, [4], RandomReacher())
    for seed in range(2):
        losses, _ = many.update(random_batch(settings, range(7), seed=seed))
        alone, _ = one.update(random_batch(settings, [4], seed=seed))
        assert losses[4] == alone[0]
    for a, b in zip(many.weights(), one.weights(), strict=True):
        np.testing.assert_array_equal(a[4:5], b)


@pytest.mark.parametrize("settings", [MANY_STEPS, PAPER], ids=["many steps", "paper"])
def test_a_worker_that_diverges_stands_still_and_the_others_do_not_notice(settings):
    (reference, native), (_, sound) = (
        groups(settings, range(3), RandomReacher()) for _ in range(2)
    )
    batch = random_batch(settings, range(3))
    sound.update(batch)
    batch.observation[1, 3] = np.inf
    before = native.weights()
    (_, expected), (_, diverged) = reference.update(batch), native.update(batch)
    np.testing.assert_array_equal(diverged, [False, True, False])
    np.testing.assert_array_equal(expected, diverged)
    for a, b, old in zip(native.weights(), sound.weights(), before, strict=True):
        np.testing.assert_array_equal(a[[0, 2]], b[[0, 2]])
        assert np.isfinite(a).all() and a.shape == old.shape
    assert_same_agents(native, reference)


def test_agents_may_change_their_backend_between_updates():
    reference, native = groups(PAPER, range(3), RandomReacher())
    mixed = [native.backend, reference.backend]
    for seed in range(4):
        batch = random_batch(PAPER, range(3), seed=seed)
        reference.update(batch)
        mixed[seed % 2].descend(native.agents, batch, 0.0)
    assert_same_agents(native, reference, 5e-3)
    assert list(native.agents.counts) == list(reference.agents.counts)


@pytest.mark.parametrize(
    ("backend", "family", "guidance", "expected"),
    [
        ("numba", RandomReacher(), 0.0, NativeLearner),
        ("numba", RandomReacher(), 0.5, Learner),
        ("numba", DiscreteActions(RandomReacher()), 0.0, Learner),
        ("tensorflow", RandomReacher(), 0.0, Learner),
    ],
)
def test_one_place_chooses_the_backend(backend, family, guidance, expected, monkeypatch):
    used = []
    for kind in (Learner, NativeLearner):
        monkeypatch.setattr(kind, "load", lambda self, phi: used.append(type(self)))
        nothing = np.zeros(1, np.float32), np.zeros(1, bool)
        monkeypatch.setattr(kind, "descend", lambda *_, result=nothing: result)
    settings = dataclasses.replace(MANY_STEPS, num_updates=2, backend=backend)
    workers = Workers(settings, family, 1)
    workers.live(workers.draw_phi(0)[np.newaxis], [LifetimeSeed(0, (0,))], guidance)
    assert used == [expected]
