import numpy as np
import pytest
import tensorflow as tf

from epg_tf.loss.guidance import PPO, GuideBatch, GuideTargets, Reinforce


def random_batch(num_workers=2, num_steps=40, seed=0):
    rng = np.random.default_rng(seed)
    shape = (num_workers, num_steps)
    terminated = rng.random(shape) < 0.1
    ended = terminated | (rng.random(shape) < 0.1)
    values = {
        "log_prob": rng.normal(size=shape),
        "reward": rng.normal(size=shape),
        "terminated": terminated,
        "ended": ended,
        "value": rng.normal(size=shape),
        "next_value": rng.normal(size=shape),
    }
    # Within an episode a step arrives where the next one starts.
    same = ~ended[:, :-1]
    values["next_value"][:, :-1][same] = values["value"][:, 1:][same]
    assert (ended & ~terminated).any() and terminated.any()
    return {name: value.astype(np.float32) for name, value in values.items()}


def standardised(values):
    return (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)


def test_advantages_bootstrap_through_truncation_and_not_through_termination():
    batch = random_batch()
    advantage = np.zeros_like(batch["reward"])
    following = np.zeros(2)
    for t in reversed(range(40)):
        delta = (
            batch["reward"][:, t]
            + 0.99 * (1 - batch["terminated"][:, t]) * batch["next_value"][:, t]
            - batch["value"][:, t]
        )
        following = delta + 0.99 * 0.95 * (1 - batch["ended"][:, t]) * following
        advantage[:, t] = following
    targets = PPO().targets(GuideBatch(**batch))
    np.testing.assert_allclose(targets.value, advantage + batch["value"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(targets.advantage, standardised(advantage), rtol=1e-4, atol=1e-5)


def test_ppo_is_the_clipped_surrogate_with_value_and_kl_terms():
    rng = np.random.default_rng(1)
    advantage, target, old, new, kl, value = rng.normal(size=(6, 2, 30)).astype(np.float32)
    loss = PPO(kl_coefficient=0.3, value_coefficient=0.7).loss(
        GuideTargets(advantage, target, old), new, kl, value
    )
    ratio = np.exp(new - old)
    surrogate = np.minimum(ratio * advantage, np.clip(ratio, 0.8, 1.2) * advantage)
    expected = (-surrogate + 0.3 * kl + 0.7 * (value - target) ** 2).mean(axis=1)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_reinforce_has_the_policy_gradient():
    batch = random_batch()
    returns = np.zeros_like(batch["reward"])
    following = np.zeros(2)
    for t in reversed(range(40)):
        following = batch["reward"][:, t] + 0.9 * (1 - batch["ended"][:, t]) * following
        returns[:, t] = following
    guide = Reinforce(discount=0.9)
    targets = guide.targets(GuideBatch(**batch))
    log_prob = tf.constant(batch["log_prob"])
    with tf.GradientTape() as tape:
        tape.watch(log_prob)
        loss = guide.loss(targets, log_prob, kl=log_prob, value=log_prob)
    np.testing.assert_allclose(
        tape.gradient(loss, log_prob), -standardised(returns) / 40, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("values", [{"clip": 0.0}, {"discount": 1.5}, {"kl_coefficient": -1.0}])
def test_bad_settings_get_a_sentence(values):
    with pytest.raises(ValueError, match=f"`PPO.{next(iter(values))}`"):
        PPO(**values)
