"""Section 4.3: does the learned loss pull the policy where PPO would?

At every update both losses are differentiated at the same policy and on the same M steps, and the
two gradients with respect to all of the policy's parameters are compared by rank. Both are
gradients of losses, to be descended: a positive correlation is agreement.

PPO needs a value function. Each agent's is trained beside, after every comparison, as a PPO agent
trains its own: on the rewards of the same steps, with the same minibatches, targets and optimiser.
It never reaches the policy, which goes on learning without reward. (Of its baseline the paper says
nothing.) At the policy that acted PPO's probability ratio is 1 and nothing is clipped, so that its
gradient is that of the advantages times the log-probabilities.

On so few steps PPO's gradient is mostly noise, with which nothing can agree. How much of it is not
is seen by comparing PPO with itself: its gradient on the first half of the steps with that on the
second, each with advantages of its own.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from epg_tf.inner_loop.batch import UpdateBatch
from epg_tf.inner_loop.learner import Learner
from epg_tf.inner_loop.lifetime import Update


class GradientCorrelation:
    """Watches W agents learn, and compares their loss's gradients with PPO's."""

    def __init__(self, learner: Learner, value_is_trained: bool = False):
        """Begins with nothing seen.

        Args:
            learner: The agents', with PPO as its guide.
            value_is_trained: Whether their own updates train the value function, as those with
                guidance do.
        """
        self._learner = learner
        self._value_is_trained = value_is_trained
        self._with_ppo: list[np.ndarray] = []
        self._between_halves: list[np.ndarray] = []

    def observe(self, update: Update) -> None:
        """Compares the gradients that an update is about to begin with."""
        batch = rewarded(update)
        learned = self._learner.policy_gradient(update.batch, guidance=0.0)
        ppo = self._learner.policy_gradient(batch, guidance=1.0)
        self._with_ppo.append(spearman(learned, ppo))
        half = update.experience.length // 2
        halves = (steps_of(batch, slice(half)), steps_of(batch, slice(half, 2 * half)))
        gradients = [self._learner.policy_gradient(part, guidance=1.0) for part in halves]
        self._between_halves.append(spearman(*gradients))
        if not self._value_is_trained:
            self._learner.update(batch, 1.0, networks=("value_function",))

    @property
    def with_ppo(self) -> np.ndarray:
        """The loss's gradient and PPO's, of every agent at every update, [W, K]."""
        return np.stack(self._with_ppo, axis=1)

    @property
    def between_halves(self) -> np.ndarray:
        """PPO's gradient on one half of the steps and on the other, [W, K]."""
        return np.stack(self._between_halves, axis=1)


def spearman(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of each row of one array with that row of another.

    Args:
        first: [W, Q].
        second: [W, Q].

    Returns:
        [W]; NaN where a row is constant or holds a number that is not finite.
    """
    correlations = np.full(len(first), np.nan)
    for worker, pair in enumerate(zip(first, second, strict=True)):
        if np.isfinite(pair).all() and all(np.ptp(row) > 0.0 for row in pair):
            correlations[worker] = stats.spearmanr(*pair).statistic
    return correlations


def rewarded(update: Update) -> UpdateBatch:
    """What an update learns from, with what PPO needs of its M newest steps."""
    experience = update.experience
    observation = update.statistics["observation"]
    return update.batch._replace(
        newest_reward=experience.reward.astype(np.float32),
        newest_terminated=experience.terminated.astype(np.float32),
        newest_next_observation=observation.normalise(experience.next_observation),
    )


def steps_of(batch: UpdateBatch, steps: slice) -> UpdateBatch:
    """A batch for a guide alone, as if some of the M newest steps were all that there is."""
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
