"""Section 4.3's questions to a loss, answered while fresh agents learn on held-out tasks.

Two agents live on each task, with the same first policy, resets and action noise: one learns with
the evolved loss, the other with a random one. Neither is shown the reward, unless the loss was
evolved to see it; then the guidance that was left when the evolution ended helps both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from epg_tf.checks import require_integer
from epg_tf.evaluation.analysis.gradient_correlation import GradientCorrelation
from epg_tf.evaluation.analysis.policy_change import PolicyChange
from epg_tf.evaluation.analysis.sensitivity import (
    Sensitivity,
    SensitivityOverLearning,
    phases_of_learning,
    position_of_step,
)
from epg_tf.evolved_loss.load import EvolvedLoss
from epg_tf.inner_loop.lifetime import Update, Workers
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.seeds import HELD_OUT_TASK_SEEDS, LifetimeSeed, held_out_seed

LOSSES = ("evolved", "random_loss")


class Findings(NamedTuple):
    """What was seen of the agents with one kind of loss.

    Attributes:
        correlations: Spearman's, of the loss's gradient with PPO's, [tasks, K].
        between_halves: The same of PPO's gradients on two halves of the steps, [tasks, K].
        policy_changes: KL from each policy to the next, in nats, [tasks, K].
        sensitivity: By phase of learning, [tasks, kinds of input, N].
        diverged: Whether a gradient or the return was not finite, [tasks].
    """

    correlations: np.ndarray
    between_halves: np.ndarray
    policy_changes: np.ndarray
    sensitivity: dict[str, Sensitivity]
    diverged: np.ndarray


@dataclasses.dataclass(frozen=True)
class Analysis:
    """What is analysed.

    Attributes:
        loss: The evolved loss, whose config says how its agents learn.
        num_tasks: Held-out tasks.

    Raises:
        ValueError: If a value is outside its range.
    """

    loss: EvolvedLoss
    num_tasks: int = 16

    def __post_init__(self) -> None:
        require_integer("--num_tasks", self.num_tasks)
        phases_of_learning(self.inner_loop)

    @property
    def inner_loop(self) -> InnerLoop:
        """What all lifetimes are like."""
        return self.loss.inner_loop.with_ppo

    @property
    def inputs(self) -> tuple[str, ...]:
        """The kinds of input that the loss sees."""
        return tuple(self.inner_loop.learned_loss.inputs)

    @property
    def position(self) -> int:
        """The t of the loss L_t whose sensitivity is asked for, from 0."""
        return position_of_step(self.inner_loop)

    @property
    def phases(self) -> dict[str, range]:
        """Of each phase of learning its updates."""
        return phases_of_learning(self.inner_loop)

    @property
    def task_seeds(self) -> list[int]:
        """Of each task."""
        return list(HELD_OUT_TASK_SEEDS[: self.num_tasks])

    @property
    def seeds(self) -> list[LifetimeSeed]:
        """Of the agent on each task; the same for both losses."""
        return [held_out_seed(self.loss.settings.seed, task) for task in range(self.num_tasks)]

    def run(self, on_update: Callable[[], object]) -> dict[str, Findings]:
        """Lets the agents live.

        Args:
            on_update: Called at each of the K updates.

        Returns:
            What was seen, for each of `LOSSES`.
        """
        # Side by side in one batch: what is measured is then compiled once.
        workers = Workers(self.inner_loop, self.loss.settings.family, 2 * self.num_tasks)
        learner = workers.learner
        correlation = GradientCorrelation(learner, value_is_trained=self.loss.guidance > 0.0)
        change = PolicyChange(learner)
        sensitivity = SensitivityOverLearning(learner, self.position, self.phases)

        def observe(update: Update) -> None:
            change.observe(update)
            sensitivity.observe(update)
            correlation.observe(update)
            on_update()

        lifetimes = workers.live(self._phi(workers), self.seeds * 2, self.loss.guidance, observe)
        policy_changes = change.finish()
        found = {}
        for number, method in enumerate(LOSSES):
            ours = slice(number * self.num_tasks, (number + 1) * self.num_tasks)
            found[method] = Findings(
                correlation.with_ppo[ours],
                correlation.between_halves[ours],
                policy_changes[ours],
                {
                    phase: Sensitivity(*(norms[ours] for norms in sensitivity.mean(phase)))
                    for phase in self.phases
                },
                lifetimes.diverged[ours],
            )
        return found

    def _phi(self, workers: Workers) -> np.ndarray:
        """The evolved loss for every task, then a fresh one for each, the evolution's start first.

        Returns:
            [2 tasks, P].
        """
        seed = self.loss.settings.seed
        evolved = np.tile(self.loss.phi, (self.num_tasks, 1))
        return np.stack([*evolved, *(workers.draw_phi(seed + n) for n in range(self.num_tasks))])


def without_diverged(found: Findings) -> Findings:
    """The findings with NaN in place of agents that met a number that was not finite."""

    def blank(values: np.ndarray) -> np.ndarray:
        diverged = found.diverged.reshape(-1, *[1] * (values.ndim - 1))
        return np.where(diverged, np.nan, values)

    return Findings(
        blank(found.correlations),
        blank(found.between_halves),
        blank(found.policy_changes),
        {phase: Sensitivity(*map(blank, norms)) for phase, norms in found.sensitivity.items()},
        found.diverged,
    )
