from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from epg_tf.agent.agents import Agents
from epg_tf.evaluation.analysis.policy_change import PolicyChange, mean_kl
from epg_tf.inner_loop.lifetime import Workers
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.seeds import held_out_seed
from epg_tf.tasks.reacher import RandomReacher

SHAPE = (2, 5, 3)  # workers, observations, size of the action


def gaussian_kl(before, after):
    """KL(N(m, s^2) || N(m', s'^2)), added over the action and averaged over observations."""
    (m, log_s), (other_m, other_log_s) = before, after
    s, other_s = np.exp(log_s), np.exp(other_log_s)
    kl = np.log(other_s / s) + (s**2 + (m - other_m) ** 2) / (2.0 * other_s**2) - 0.5
    return kl.sum(axis=2).mean(axis=1)


def test_the_divergence_of_gaussians_is_the_textbooks():
    rng = np.random.default_rng(0)
    policy = Agents(2, 4, SHAPE[2]).policy
    before, after = (
        (rng.normal(size=SHAPE), rng.normal(size=(2, 1, SHAPE[2])) / 4.0) for _ in range(2)
    )
    ours = mean_kl(policy, *(tuple(map(tf.constant, output)) for output in (before, after)))
    np.testing.assert_allclose(ours, gaussian_kl(before, after))
    np.testing.assert_array_equal(mean_kl(policy, before, before), [0.0, 0.0])


def test_the_divergence_of_multinomials_is_the_textbooks():
    rng = np.random.default_rng(1)
    policy = Agents(2, 4, SHAPE[2], num_actions=SHAPE[2]).policy
    p, q = (rng.dirichlet(np.ones(SHAPE[2]), size=SHAPE[:2]) for _ in range(2))
    ours = mean_kl(policy, (tf.math.log(p),), (tf.math.log(q),))
    np.testing.assert_allclose(ours, (p * np.log(p / q)).sum(axis=2).mean(axis=1))


def test_a_change_too_small_for_single_precision_is_seen():
    policy = Agents(1, 4, 1).policy
    mean, log_std = tf.ones([1, 1, 1]), tf.zeros([1, 1, 1])
    kl = mean_kl(policy, (mean, log_std), (mean + 1e-4, log_std))
    assert kl.numpy() == pytest.approx([0.5e-8], rel=0.01)


@pytest.mark.parametrize("num_actions", [None, 3])
def test_each_update_is_measured_on_what_it_learned_from(num_actions):
    rng = np.random.default_rng(2)
    agents = Agents(2, 4, 3, num_actions)
    state = agents.draw([np.random.default_rng([3, worker]) for worker in range(2)])
    change = PolicyChange(agents)
    expected = []
    for k in range(1, 4):
        # A buffer of seven steps, of which the newest five count.
        observation = rng.normal(size=(2, 7, 4)).astype(np.float32)
        change.observe(
            SimpleNamespace(
                k=k,
                agents=state,
                batch=SimpleNamespace(observation=observation),
                experience=SimpleNamespace(length=5),
            )
        )
        before = agents.policy(observation[:, -5:])
        state.theta += rng.normal(scale=0.1, size=state.theta.shape).astype(np.float32)
        agents.assign(state.theta)
        expected.append(mean_kl(agents.policy, before, agents.policy(observation[:, -5:])))
    np.testing.assert_allclose(change.finish(state), np.stack(expected, axis=1), rtol=1e-4)


def test_every_update_counts_whatever_takes_its_steps():
    changes = []
    loss = LearnedLoss(inputs=("observation", "policy"), context_size=0)
    for backend in ("tensorflow", "numba"):
        settings = InnerLoop(num_updates=3, num_passes=4, learned_loss=loss, backend=backend)
        workers = Workers(settings, RandomReacher(), 2)
        change = PolicyChange(workers.backends.reference.agents)
        phi = np.tile(workers.draw_phi(0), (2, 1))
        seeds = [held_out_seed(0, task) for task in range(2)]
        lifetimes = workers.live(phi, seeds, 0.0, change.observe)
        changes.append(change.finish(lifetimes.agents))
    assert changes[0].shape == (2, 3) and (changes[0] > 0.0).all()
    np.testing.assert_allclose(changes[0], changes[1], rtol=0.05)
