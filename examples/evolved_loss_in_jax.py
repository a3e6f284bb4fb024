"""An evolved loss in JAX, and an agent that learns gymnasium's Reacher-v5 from it.

    python examples/evolved_loss_in_jax.py LOSS [SEED]

LOSS is a folder that epg_tf.export wrote for RandomReacher; epg_tf itself is not needed.
"""

import functools
import json
import pathlib
import sys

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import optax


def load(folder):
    """Returns the content of `loss.json`, and the parameters by name."""
    with np.load(folder / "loss.npz", allow_pickle=False) as arrays:
        phi = {name: jnp.asarray(array) for name, array in arrays.items()}
    return json.loads((folder / "loss.json").read_text()), phi


def layer(weights, name, x):
    """Applies a dense layer without activation; weights are by name."""
    return x @ weights[f"{name}.kernel"] + weights[f"{name}.bias"]


def gated(newest, observation, reward):
    """Returns (observation, 1) times the observation's strongest correlation with the reward."""
    seen = observation[-newest:] - observation[-newest:].mean(0)
    paid = reward[-newest:] - reward[-newest:].mean(0)
    scale = jnp.sqrt(jnp.maximum((seen**2).mean(0) * (paid**2).mean(0), 1e-12))
    correlation = (seen * paid).mean(0) / scale
    gate = correlation[jnp.abs(correlation).argmax()]
    return jnp.concatenate([observation, jnp.ones_like(reward)], 1) * gate


def per_step_loss(about, phi, inputs):
    """Returns L_t of each step, oldest first, [N]; inputs by name are [N or 1, size]."""
    network, length = about["network"], about["buffer_size"]
    leaky_relu = functools.partial(jax.nn.leaky_relu, negative_slope=network["leaky_slope"])
    activate = jax.nn.silu if network["activation"] == "silu" else leaky_relu
    parts = [one["name"] for one in about["inputs"] if one["name"].startswith("policy_")]
    names = [n for name in network["inputs"] for n in (parts if name == "policy" else [name])]
    if "gated_observation" in names:
        both = inputs["observation"], inputs["reward"]
        inputs = inputs | {"gated_observation": gated(about["steps_per_update"], *both)}
    steps = {n: jnp.broadcast_to(inputs[n], (length, inputs[n].shape[1])) for n in names}
    x = jnp.concatenate(list(steps.values()), 1)
    if network["context_size"]:  # temporal convolutions over the whole buffer
        held = [jax.lax.stop_gradient(s) if n == "memory" else s for n, s in steps.items()]
        held = jnp.concatenate(held, 1) * inputs.get("mask", 1.0)
        for i, (width, stride, _) in enumerate(network["convolutions"], 1):
            frames = held[np.arange(0, len(held) - width + 1, stride)[:, None] + np.arange(width)]
            held = jnp.einsum("pws,wsu->pu", frames, phi[f"convolution_{i}.kernel"])
            held = activate(held + phi[f"convolution_{i}.bias"])
        pooled = held.mean(0) if network["pooling"] == "mean" else held.ravel()
        context = layer(phi, "context", pooled)
        x = jnp.concatenate([x, jnp.broadcast_to(context, (length, len(context)))], 1)
    losses = layer(phi, "loss", activate(layer(phi, "hidden", x)))[:, 0]
    log_p, noise = steps.get("policy_log_probabilities"), steps.get("policy_log_std")
    centre = steps["policy_mean"] if log_p is None else log_p - log_p.mean(1, keepdims=True)
    if network["bilinear"]:
        others = [s for n, s in steps.items() if not n.startswith(("policy", "memory"))]
        factor = layer(phi, "bilinear", jnp.concatenate(others, 1))
        losses += (factor * steps.get("policy_mean", log_p)).sum(1)
    losses += network["mean_penalty"] / 2 * (centre**2).sum(1)  # the confinement
    return losses if noise is None else losses + network["log_std_penalty"] * noise.sum(1)


def learn(about, phi, seed=0, say=print):
    """Lets a fresh agent learn without rewards; returns the mean return of its last episodes."""
    N, M, update = about["buffer_size"], about["steps_per_update"], about["inner_update"]
    policy, rule, of_memory = about["policy"], about["normalisation"], about["memory"]
    rng, env = np.random.default_rng(seed), gymnasium.make("Reacher-v5")

    def draw(name, inputs, units, gain=1.0):  # columns of norm `gain`, no bias
        kernel = rng.normal(size=(inputs, units))
        theta[f"{name}.kernel"] = jnp.float32(gain * kernel / np.linalg.norm(kernel, axis=0))
        theta[f"{name}.bias"] = jnp.zeros(units)

    def mean(theta, x):
        for i in range(len(units) - 1):
            x = layer(theta, i, jnp.tanh(x) if i else x)
        return jnp.tanh(x) if policy["mean_activation"] == "tanh" else x

    def objective(theta, buffer, rows):
        memory = jnp.tanh(layer(theta, "memory", jnp.ones((1, of_memory["constant_size"]))))
        agent = {"memory": memory, "policy_log_std": theta["log_std"]}
        agent["policy_mean"] = mean(theta, buffer["observation"])
        return per_step_loss(about, phi, buffer | agent)[rows].mean()

    @jax.jit
    def descend(theta, state, buffer, rows):
        step, state = adam.update(jax.grad(objective)(theta, buffer, rows), state)
        theta = jax.tree.map(jnp.add, theta, step)
        theta["log_std"] = jnp.clip(theta["log_std"], *(policy["log_std_bounds"] or (None, None)))
        return theta, state

    units = [10, *policy["hidden_sizes"], policy["action_size"]]
    theta = {"log_std": jnp.full((1, policy["action_size"]), policy["initial_log_std"])}
    for i in range(last := len(units) - 1):
        draw(i, *units[i : i + 2], policy["output_gain"] if i == last - 1 else 1.0)
    draw("memory", of_memory["constant_size"], of_memory["size"])
    adam = optax.adam(update["learning_rate"], eps=update["epsilon"])
    state, act, known = adam.init(theta), jax.jit(mean), {}
    sizes = {"observation": 10, "action": policy["action_size"], "termination": 1, "mask": 1}
    life = {n: np.zeros([N + 32 * M, size]) for n, size in sizes.items()}
    observation, returns = env.reset(seed=seed)[0], [0.0]  # rewards serve the printed returns alone
    for k in range(min(update["num_updates"], 32)):
        for name in rule["of"]:  # mean and standard deviation over the life so far
            past, prior = life[name][N : N + k * M], rule["prior_count"]
            mu, square = np.array([past.sum(0), (past**2).sum(0) + prior]) / (len(past) + prior)
            std_of = np.sqrt(np.maximum(square - mu**2, rule["std_floor"] ** 2))
            known[name] = rule.get(name) or (mu, std_of)  # given for some observations
        for t in range(N + k * M, N + k * M + M):
            seen = (observation - known["observation"][0]) / known["observation"][1]
            noise = np.exp(theta["log_std"][0]) * rng.normal(size=policy["action_size"])
            action = np.asarray(act(theta, np.float32(seen)) + noise)
            life["observation"][t], life["action"][t], life["mask"][t] = observation, action, 1
            observation, reward, terminated, truncated, _ = env.step(action)
            returns[-1] += reward
            if terminated or truncated:
                life["termination"][t], observation = 1, env.reset()[0]
                returns.append(0.0)
        buffer = {name: steps[t + 1 - N : t + 1] for name, steps in life.items()}
        buffer |= {n: (buffer[n] - mu) / sigma for n, (mu, sigma) in known.items()}
        buffer = {name: jnp.float32(steps) for name, steps in buffer.items()}
        for _ in range(update["num_passes"]):
            for rows in rng.permutation(M).reshape(update["num_minibatches"], -1):
                theta, state = descend(theta, state, buffer, N - M + rows)
        if k % 8 == 7:
            say(f"update {k + 1}: return {np.mean(returns[-11:-1]):.1f}")
    return float(np.mean(returns[-11:-1]))


if __name__ == "__main__":
    learn(*load(pathlib.Path(sys.argv[1])), int((*sys.argv, 0)[2]))
