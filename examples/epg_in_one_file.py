"""Evolved Policy Gradients on one page: evolution strategies outside, a learned loss inside.

    python examples/epg_in_one_file.py [EPOCHS]

Agents with fresh policies learn on gymnasium's Reacher-v5 by gradient steps on a loss that never
sees a reward. Evolution sees rewards and searches for the parameters phi of that loss (Algorithm 1
of Houthooft et al. 2018). The loss has two additions to the paper: two fixed terms keep agents from
diverging, and a bilinear term is easy to search. The script needs NumPy, TensorFlow and gymnasium,
and takes two minutes.
"""

import sys

import gymnasium
import numpy as np
import tensorflow as tf

NUM_WORKERS = 32  # n; each pair has phi + sigma epsilon and phi - sigma epsilon
NUM_UPDATES = 6  # K, in a lifetime
STEPS_PER_UPDATE = 100  # M, two episodes
NUM_PASSES = 10  # over the steps of each update
HIDDEN = 32  # units of the policy
LOSS_HIDDEN = 16  # units of the loss
KAPPA, LOG_STD_PENALTY = 3.0, 1.0  # the confinement
INNER_RATE = 1e-2
OBSERVATION, ACTION = 10, 2  # sizes
CENTRE = np.array([0.5, 0.0, 0.2, 0.0, 0, 0, 0, 0, 0, 0], np.float32)
SCALE = np.array([0.6, 0.8, 0.6, 0.6, 0.1, 0.1, 5.0, 5.0, 0.12, 0.12], np.float32)

LOSS_SHAPES = [
    (OBSERVATION + 2 * ACTION, LOSS_HIDDEN),  # the per-step network: hidden kernel, hidden bias,
    (LOSS_HIDDEN,),
    (LOSS_HIDDEN, 1),  # output kernel
    (OBSERVATION, ACTION),  # the bilinear term: kernel, bias
    (ACTION,),
]
PHI_SIZE = sum(map(np.prod, LOSS_SHAPES))


def fresh_phi(rng):
    """Draws a random loss [P], whose bilinear term is zero."""
    phi = [rng.normal(size=shape) / np.sqrt(shape[0]) for shape in LOSS_SHAPES]
    for zero in (1, 3, 4):
        phi[zero] *= 0.0
    return np.concatenate([part.ravel() for part in phi])


def loss_of(phi, observation, mean, log_std):
    """Returns L_phi [W] of phi [W, P], observation and mean [W, B, size], log_std [W, 1, A]."""
    parts = tf.split(phi, [np.prod(shape) for shape in LOSS_SHAPES], axis=1)
    parts = [tf.reshape(p, (-1, *s)) for p, s in zip(parts, LOSS_SHAPES, strict=True)]
    kernel, bias, out, factor, factor_bias = parts
    seen = tf.concat([observation, mean, tf.broadcast_to(log_std, tf.shape(mean))], axis=2)
    hidden = tf.nn.silu(seen @ kernel + bias[:, tf.newaxis])
    steps = tf.squeeze(hidden @ out, 2)
    steps += tf.reduce_sum(mean * (observation @ factor + factor_bias[:, tf.newaxis]), 2)
    steps += KAPPA / 2 * tf.reduce_sum(mean**2, 2) + LOG_STD_PENALTY * tf.reduce_sum(log_std, 2)
    return tf.reduce_mean(steps, 1)


class Agents:
    """W Gaussian policies and their Adam optimisers."""

    def __init__(self, num_agents):
        shapes = [(OBSERVATION, HIDDEN), (1, HIDDEN), (HIDDEN, ACTION), (1, ACTION), (1, ACTION)]
        self.theta = [tf.Variable(tf.zeros((num_agents, *shape))) for shape in shapes]
        self.moments = [[tf.Variable(tf.zeros_like(v)) for v in self.theta] for _ in range(2)]
        self.step = tf.Variable(0.0)

    def reset(self, rngs):
        """Starts new lifetimes; agent w draws its policy from rngs[w]."""
        for variable, gain in zip(self.theta, (1.0, 0.0, 0.1, 0.0, 0.0), strict=True):
            shape = variable.shape[1:]
            drawn = [gain * rng.normal(size=shape) / np.sqrt(shape[0]) for rng in rngs]
            variable.assign(np.array(drawn, np.float32))
        self.theta[-1].assign(tf.fill(self.theta[-1].shape, -2.0))  # log std
        for moment in (*self.moments[0], *self.moments[1], self.step):
            moment.assign(tf.zeros_like(moment))

    def means(self, observation):
        """Returns the policies' means at observations [W, B, size]."""
        kernel, bias, out, out_bias, _ = self.theta
        return tf.tanh(observation @ kernel + bias) @ out + out_bias

    @tf.function
    def learn(self, phi, observation):
        """Takes gradient steps on the loss alone (line 12)."""
        for _ in range(NUM_PASSES):
            with tf.GradientTape() as tape:
                mean, log_std = self.means(observation), self.theta[-1]
                loss = tf.reduce_sum(loss_of(phi, observation, mean, log_std))
            self.step.assign_add(1.0)
            rate = INNER_RATE * tf.sqrt(1 - 0.999**self.step) / (1 - 0.9**self.step)
            gradients = tape.gradient(loss, self.theta)
            for v, g, m, s in zip(self.theta, gradients, *self.moments, strict=True):
                m.assign(0.9 * m + 0.1 * g)
                s.assign(0.999 * s + 0.001 * g**2)
                v.assign_sub(rate * m / (tf.sqrt(s) + 1e-8))
            self.theta[-1].assign(tf.clip_by_value(self.theta[-1], -3.0, -2.0))


def live(agents, envs, phi, seeds):
    """Runs lifetimes (lines 5 to 13); returns their mean returns in the last two updates, [W]."""
    rngs = [np.random.default_rng(seed) for seed in seeds]
    agents.reset(rngs)
    observation, _ = envs.reset(seed=[int(seed) for seed in seeds])
    rewards = np.zeros((NUM_UPDATES, STEPS_PER_UPDATE, len(seeds)))
    phi = tf.constant(phi, tf.float32)
    for k in range(NUM_UPDATES):
        kernel, bias, out, out_bias, log_std = (v.numpy() for v in agents.theta)
        life = np.zeros((STEPS_PER_UPDATE, len(seeds), OBSERVATION), np.float32)
        noise = [rng.normal(size=(STEPS_PER_UPDATE, ACTION)) for rng in rngs]
        noise = np.exp(log_std) * np.array(noise)
        for t in range(STEPS_PER_UPDATE):
            life[t] = (observation - CENTRE) / SCALE
            mean = np.tanh(life[t][:, np.newaxis] @ kernel + bias) @ out + out_bias
            action = np.clip(mean[:, 0] + noise[:, t], -1.0, 1.0)
            observation, rewards[k, t], _, _, _ = envs.step(action)
        agents.learn(phi, life.swapaxes(0, 1))
    return 50 * rewards[-2:].mean(axis=(0, 1))


def evolve(num_epochs, seed=0, say=print):
    """Runs Algorithm 1; returns phi, and the held-out returns without and with it."""
    rng, agents = np.random.default_rng(seed), Agents(NUM_WORKERS)
    envs = gymnasium.make_vec("Reacher-v5", NUM_WORKERS, vectorization_mode="sync")
    phi, first, second = fresh_phi(rng), np.zeros(PHI_SIZE), np.zeros(PHI_SIZE)
    held_out = np.arange(NUM_WORKERS) + 10**6

    def worth(phi):
        return live(agents, envs, np.tile(phi, (NUM_WORKERS, 1)), held_out).mean()

    at_first = worth(0.0 * phi)
    say(f"held-out agents with the confinement alone: {at_first:.1f}")
    for epoch in range(1, num_epochs + 1):  # line 2
        progress = epoch / num_epochs
        sigma, rate = 0.1 * 0.2**progress, 0.04 * 0.05**progress
        epsilon = np.repeat(rng.normal(size=(NUM_WORKERS // 2, PHI_SIZE)), 2, axis=0)  # line 4
        epsilon[1::2] *= -1.0
        seeds = np.repeat(rng.integers(10**6, size=NUM_WORKERS // 2), 2)  # a pair shares its seed
        returns = live(agents, envs, phi + sigma * epsilon, seeds)
        gain = returns[::2] - returns[1::2]  # phi + sigma epsilon over phi - sigma epsilon
        ranks = np.argsort(np.argsort(np.abs(gain))) + 1.0
        shaped = np.sign(gain) * ranks / len(gain)
        gradient = shaped @ epsilon[::2] / (len(gain) * sigma)  # line 14, Eq. 5
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        unbiased = first / (1 - 0.9**epoch), second / (1 - 0.999**epoch)
        phi += rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8)
        if epoch % 20 == 0:
            say(f"epoch {epoch}: return of the population {returns.mean():.1f}")
    at_last = worth(phi)
    say(f"held-out agents with the evolved loss: {at_last:.1f}")
    return phi, at_first, at_last


if __name__ == "__main__":
    evolve(int(sys.argv[1]) if len(sys.argv) > 1 else 160)
