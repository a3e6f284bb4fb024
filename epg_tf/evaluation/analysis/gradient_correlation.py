"""Section 4.3: rank correlation of the learned loss's policy gradient with PPO's.

At every update both losses are differentiated at the same policy and on the same M steps. The
gradients cover all of the policy's parameters. Both losses are minimised, so a positive correlation
means agreement.

PPO needs a value function; the paper does not describe its baseline. Each agent's is trained after
every comparison as in a PPO agent: same steps, rewards, minibatches, targets and optimiser. It
never affects the policy, which goes on learning without reward. At the policy that acted, PPO's
probability ratio is 1 and nothing is clipped. Its gradient is therefore that of the advantages
times the log-probabilities.

On so few steps PPO's gradient is mostly noise, which limits any correlation. The limit is estimated
by comparing PPO's gradients on the two halves of the steps, each with separate advantages.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from epg_tf.inner_loop.batch import UpdateBatch
from epg_tf.inner_loop.learner import Learner
from epg_tf.inner_loop.lifetime import Update


class GradientCorrelation:
    """Compares the gradients of W agents' losses with PPO's while they learn."""

    def __init__(self, learner: Learner, value_is_trained: bool = False):
        """Starts without measurements.

        Args:
            learner: The reference learner with the agents' losses, and PPO as its guide.
            value_is_trained: True if the agents' updates train the value function already, as
                guided ones do.
        """
        self._learner = learner
        self._value_is_trained = value_is_trained
        self._with_ppo: list[np.ndarray] = []
        self._between_halves: list[np.ndarray] = []

    def observe(self, update: Update) -> None:
        """Compares the gradients at the start of an update."""
        agents, batch = update.agents, rewarded(update)
        learned = self._learner.policy_gradient(agents, update.batch, guidance=0.0)
        ppo = self._learner.policy_gradient(agents, batch, guidance=1.0)
        self._with_ppo.append(spearman(learned, ppo))
        half = update.experience.length // 2
        halves = (steps_of(batch, slice(half)), steps_of(batch, slice(half, 2 * half)))
        gradients = [self._learner.policy_gradient(agents, part, guidance=1.0) for part in halves]
        self._between_halves.append(spearman(*gradients))
        if not self._value_is_trained:
            self._learner.descend(agents, batch, 1.0, networks=("value_function",))

    @property
    def with_ppo(self) -> np.ndarray:
        """The correlations of the loss's gradient with PPO's, [W, K]."""
        return np.stack(self._with_ppo, axis=1)

    @property
    def between_halves(self) -> np.ndarray:
        """The correlations of PPO's gradients on the two halves of the steps, [W, K]."""
        return np.stack(self._between_halves, axis=1)


def spearman(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns Spearman's rank correlation of each row of one array with the same row of another.

    Args:
        first: [W, Q].
        second: [W, Q].

    Returns:
        [W]; NaN if a row is constant or not finite.
    """
    correlations = np.full(len(first), np.nan)
    for worker, pair in enumerate(zip(first, second, strict=True)):
        if np.isfinite(pair).all() and all(np.ptp(row) > 0.0 for row in pair):
            correlations[worker] = stats.spearmanr(*pair).statistic
    return correlations


def rewarded(update: Update) -> UpdateBatch:
    """Returns the update's batch with rewards, ends and next observations of the M newest steps."""
    experience = update.experience
    observation = update.statistics["observation"]
    return update.batch._replace(
        newest_reward=experience.reward.astype(np.float32),
        newest_terminated=experience.terminated.astype(np.float32),
        newest_next_observation=observation.normalise(experience.next_observation),
    )


def steps_of(batch: UpdateBatch, steps: slice) -> UpdateBatch:
    """Returns a batch of some of the M newest steps alone, for a guide without a learned loss."""
    oldest = batch.observation.shape[1] - batch.newest_action.shape[1]
    newest = {
        name: getattr(batch, name)[:, steps]
        for name in batch._fields
        if name.startswith("newest_") and getattr(batch, name) is not None
    }
    buffer = {
        name: getattr(batch, name)[:, oldest:][:, steps]
        for name in ("observation", "action", "termination")
    }
    return batch._replace(**newest, **buffer, reward=None, gated_observation=None, mask=None)
