"""Learns gymnasium's Reacher-v5 from an evolved loss, with TensorFlow and without any reward.

    python examples/use_evolved_loss.py LOSS [SEED]

LOSS is a folder that epg_tf.export wrote for RandomReacher; epg_tf itself is not needed.
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported
import gymnasium
import numpy as np
import tensorflow as tf

path, seed = pathlib.Path((*sys.argv, "")[1]), int((*sys.argv, "", 0)[2] or 0)
if not (path / "loss.json").is_file():
    sys.exit(f"LOSS (={path}) must be a folder that epg_tf.export wrote; see {sys.argv[0]}.")
loss, about = tf.saved_model.load(str(path)), json.loads((path / "loss.json").read_text())
N, M, update = about["buffer_size"], about["steps_per_update"], about["inner_update"]
policy, rule, inputs = about["policy"], about["normalisation"], about["inputs"]
if about["sees_reward"] or about["family"]["observation_size"] != 10 or "num_actions" in policy:
    sys.exit(f"LOSS (={path}) must see no reward and be for the torques of a Reacher.")
tf.keras.utils.set_random_seed(seed)

# The agent: a Gaussian policy, and a memory that only the loss reads.
layers = [tf.keras.layers.Dense(units, "tanh") for units in policy["hidden_sizes"]]
last = tf.keras.layers.Dense(policy["action_size"], policy["mean_activation"])
mean = tf.keras.Sequential([*layers, last])
memory = tf.keras.layers.Dense(about["memory"]["size"], "tanh")
ones = tf.ones([1, about["memory"]["constant_size"]])
mean.build([None, 10]), memory.build(ones.shape)
for layer in (*mean.layers, memory):
    kernel = tf.math.l2_normalize(tf.random.normal(layer.kernel.shape), axis=0)
    layer.kernel.assign(kernel * (policy["output_gain"] if layer is mean.layers[-1] else 1.0))
low, high = policy.get("log_std_bounds") or (-np.inf, np.inf)  # Adam clips to them after each step
log_std = tf.Variable(
    [[policy["initial_log_std"]] * policy["action_size"]],
    constraint=lambda values: tf.clip_by_value(values, low, high),
)
theta = [*mean.weights, log_std, *memory.weights]
adam = tf.keras.optimizers.Adam(update["learning_rate"], epsilon=update["epsilon"])


@tf.function
def gradient_step(buffer, rows):
    """Descends the mean loss of some of the buffer's steps."""
    with tf.GradientTape() as tape:
        agent = {"policy_mean": mean(buffer["observation"]), "policy_log_std": log_std}
        given = buffer | agent | {"memory": memory(ones)}
        losses = loss.per_step_loss(**{one["name"]: given[one["name"]] for one in inputs})
        mean_loss = tf.reduce_mean(tf.gather(losses, rows))
    gradients = tape.gradient(mean_loss, theta, unconnected_gradients="zero")  # if memory is unseen
    adam.apply_gradients(zip(gradients, theta, strict=True))


def statistics(past):
    """Returns the mean and standard deviation over the agent's life so far."""
    count, prior = len(past) + rule["prior_count"], rule["prior_count"]
    average, square = past.sum(axis=0) / count, ((past**2).sum(axis=0) + prior) / count
    return average, np.sqrt(np.maximum(square - average**2, rule["std_floor"] ** 2))


env = gymnasium.make("Reacher-v5")  # its observations are RandomReacher's, in order
observation, returns = env.reset(seed=seed)[0], [0.0]  # rewards serve the printed returns alone
sizes = {"observation": 10, "action": policy["action_size"], "termination": 1, "mask": 1}
life = {name: np.zeros([N + 32 * M, size]) for name, size in sizes.items()}
for k in range(min(update["num_updates"], 32)):
    weights, std, squash = mean.get_weights(), np.exp(log_std[0]), policy["mean_activation"]
    known = {n: rule.get(n) or statistics(life[n][N : N + k * M]) for n in rule["of"]}
    for t in range(N + k * M, N + k * M + M):
        action = (observation - known["observation"][0]) / known["observation"][1]
        for i in range(0, len(weights), 2):  # in NumPy: TensorFlow is slow one step at a time
            action = (np.tanh(action) if i else action) @ weights[i] + weights[i + 1]
        action = (np.tanh(action) if squash else action) + std * np.random.randn(len(std))
        life["observation"][t], life["action"][t], life["mask"][t] = observation, action, 1
        observation, reward, terminated, truncated, _ = env.step(action)
        returns[-1] += reward
        if terminated or truncated:
            life["termination"][t], observation = 1, env.reset()[0]
            returns.append(0.0)
    buffer = {name: np.float32(steps[t + 1 - N : t + 1]) for name, steps in life.items()}
    buffer |= {n: np.float32((buffer[n] - mu) / sigma) for n, (mu, sigma) in known.items()}
    for _ in range(update["num_passes"]):
        for rows in np.random.permutation(M).reshape(update["num_minibatches"], -1):
            gradient_step(buffer, N - M + rows)
    if k % 8 == 7:
        print(f"update {k + 1}: return {np.mean(returns[-11:-1]):.1f}", flush=True)
