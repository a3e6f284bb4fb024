"""An evolved loss in PyTorch, and an agent that learns gymnasium's Reacher-v5 from it.

    python examples/evolved_loss_in_torch.py LOSS [SEED]

LOSS is a folder that epg_tf.export wrote for RandomReacher; epg_tf itself is not needed.
"""

import json
import pathlib
import sys

import gymnasium
import numpy as np
import torch
from torch import nn


class EvolvedLoss(nn.Module):
    """L_phi of one agent: `loss.npz` in the network that `loss.json` describes."""

    def __init__(self, folder):
        super().__init__()
        self.about = json.loads((folder / "loss.json").read_text())
        shown = [one["name"] for one in self.about["inputs"]]
        made_of = {"policy": [name for name in shown if name.startswith("policy_")]}
        inputs = self.about["network"]["inputs"]
        self.names = [part for name in inputs for part in made_of.get(name, [name])]
        with np.load(folder / "loss.npz", allow_pickle=False) as arrays:
            for name, array in arrays.items():
                self.register_buffer(name.replace(".", "_"), torch.from_numpy(array))

    def _layer(self, name, x):
        return x @ getattr(self, f"{name}_kernel") + getattr(self, f"{name}_bias")

    def _activate(self, x):
        if self.about["network"]["activation"] == "silu":
            return nn.functional.silu(x)
        return nn.functional.leaky_relu(x, self.about["network"]["leaky_slope"])

    def _gated(self, observation, reward):
        newest = self.about["steps_per_update"]
        seen = observation[-newest:] - observation[-newest:].mean(0)
        paid = reward[-newest:] - reward[-newest:].mean(0)
        scale = ((seen**2).mean(0) * (paid**2).mean(0)).clamp(min=1e-12).sqrt()
        correlation = (seen * paid).mean(0) / scale
        gate = correlation[correlation.abs().argmax()]
        return torch.cat([observation, torch.ones_like(reward)], 1) * gate

    def per_step_loss(self, **inputs):
        """Returns L_t of each step, oldest first, [N]; inputs by name are [N or 1, size]."""
        network, length = self.about["network"], self.about["buffer_size"]
        if "gated_observation" in self.names:
            inputs["gated_observation"] = self._gated(inputs["observation"], inputs["reward"])
        steps = {name: inputs[name].expand(length, -1) for name in self.names}
        x = torch.cat(list(steps.values()), 1)
        if network["context_size"]:  # temporal convolutions over the whole buffer
            held = [one.detach() if name == "memory" else one for name, one in steps.items()]
            held = torch.cat(held, 1) * inputs.get("mask", torch.ones(1, 1))
            for i, (width, stride, units) in enumerate(network["convolutions"], 1):
                kernel = getattr(self, f"convolution_{i}_kernel").transpose(0, 1).reshape(-1, units)
                frames = held.unfold(0, width, stride).reshape(-1, kernel.shape[0])
                held = self._activate(frames @ kernel + getattr(self, f"convolution_{i}_bias"))
            pooled = held.mean(0) if network["pooling"] == "mean" else held.flatten()
            x = torch.cat([x, self._layer("context", pooled).expand(length, -1)], 1)
        losses = self._layer("loss", self._activate(self._layer("hidden", x)))[:, 0]
        log_p, noise = steps.get("policy_log_probabilities"), steps.get("policy_log_std")
        centre = steps["policy_mean"] if log_p is None else log_p - log_p.mean(1, keepdim=True)
        if network["bilinear"]:
            others = [s for n, s in steps.items() if not n.startswith(("policy", "memory"))]
            factor = self._layer("bilinear", torch.cat(others, 1))
            losses = losses + (factor * steps.get("policy_mean", log_p)).sum(1)
        losses = losses + network["mean_penalty"] / 2 * (centre**2).sum(1)  # the confinement
        return losses if noise is None else losses + network["log_std_penalty"] * noise.sum(1)

    def forward(self, **inputs):
        """Returns L_phi, the mean over the M newest steps."""
        return self.per_step_loss(**inputs)[-self.about["steps_per_update"] :].mean()


def normal_columns(linear, gain=1.0):
    """Initialises a layer as in loss.json: columns of norm `gain`, zero bias."""
    nn.init.zeros_(linear.bias)
    with torch.no_grad():
        linear.weight.copy_(gain * nn.functional.normalize(torch.randn_like(linear.weight), dim=1))
    return linear


def learn(loss, seed=0, say=print):
    """Lets a fresh agent learn without rewards; returns the mean return of its last episodes."""
    about, env = loss.about, gymnasium.make("Reacher-v5")
    N, M, update = about["buffer_size"], about["steps_per_update"], about["inner_update"]
    policy, rule, memory_of = about["policy"], about["normalisation"], about["memory"]
    torch.manual_seed(seed)
    sizes = [10, *policy["hidden_sizes"]]
    layers = [normal_columns(nn.Linear(*pair)) for pair in zip(sizes, sizes[1:], strict=False)]
    last = normal_columns(nn.Linear(sizes[-1], policy["action_size"]), policy["output_gain"])
    mean = nn.Sequential(*[part for layer in layers for part in (layer, nn.Tanh())], last)
    if policy["mean_activation"] == "tanh":
        mean.append(nn.Tanh())
    memory = normal_columns(nn.Linear(memory_of["constant_size"], memory_of["size"]))
    log_std = nn.Parameter(torch.full((1, policy["action_size"]), policy["initial_log_std"]))
    theta = [*mean.parameters(), log_std, *memory.parameters()]
    adam = torch.optim.Adam(theta, update["learning_rate"], eps=update["epsilon"])
    sizes = {"observation": 10, "action": policy["action_size"], "termination": 1, "mask": 1}
    life = {n: np.zeros([N + 32 * M, size]) for n, size in sizes.items()}
    observation, returns = env.reset(seed=seed)[0], [0.0]  # rewards serve the printed returns alone
    for k in range(min(update["num_updates"], 32)):
        known = {}  # mean and standard deviation over the life so far
        for name in rule["of"]:
            past, prior = life[name][N : N + k * M], rule["prior_count"]
            mu, square = np.array([past.sum(0), (past**2).sum(0) + prior]) / (len(past) + prior)
            std_of = np.sqrt(np.maximum(square - mu**2, rule["std_floor"] ** 2))
            known[name] = rule.get(name) or (mu, std_of)  # given for some observations
        for t in range(N + k * M, N + k * M + M):
            seen = (observation - known["observation"][0]) / known["observation"][1]
            with torch.no_grad():
                given = mean(torch.from_numpy(seen).float()[None])
                action = (given + log_std.exp() * torch.randn_like(log_std))[0].numpy()
            life["observation"][t], life["action"][t], life["mask"][t] = observation, action, 1
            observation, reward, terminated, truncated, _ = env.step(action)
            returns[-1] += float(reward)
            if terminated or truncated:
                life["termination"][t], observation = 1, env.reset()[0]
                returns.append(0.0)
        buffer = {name: steps[t + 1 - N : t + 1] for name, steps in life.items()}
        buffer |= {n: (buffer[n] - mu) / sigma for n, (mu, sigma) in known.items()}
        buffer = {name: torch.from_numpy(steps).float() for name, steps in buffer.items()}
        for _ in range(update["num_passes"]):
            for rows in torch.randperm(M).reshape(update["num_minibatches"], -1):
                agent = {"policy_mean": mean(buffer["observation"]), "policy_log_std": log_std}
                agent["memory"] = torch.tanh(memory(torch.ones(1, memory_of["constant_size"])))
                adam.zero_grad()
                loss.per_step_loss(**buffer, **agent)[N - M + rows].mean().backward()
                adam.step()
                log_std.data.clamp_(*(policy["log_std_bounds"] or (None, None)))
        if k % 8 == 7:
            say(f"update {k + 1}: return {np.mean(returns[-11:-1]):.1f}")
    return float(np.mean(returns[-11:-1]))


if __name__ == "__main__":
    learn(EvolvedLoss(pathlib.Path(sys.argv[1])), int((*sys.argv, 0)[2]))
