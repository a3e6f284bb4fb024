"""Section 4.3's analysis of a loss, made while fresh agents learn on held-out tasks.

Each task has two agents with the same first policy, resets and action noise. One learns with the
evolved loss, the other with a random one. Both see the reward, and get the final guidance of the
evolution, only if the loss was evolved to see the reward.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from epg_tf.checks import PositiveInt, Settings
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
    """The measurements of the agents, by each of `LOSSES`.

    Attributes:
        correlations: Spearman's correlation of the loss's gradient with PPO's, [tasks, K]. That of
            "ppo_halves" compares PPO's gradients on two halves of the steps of "evolved".
        policy_changes: KL from each policy to the next, in nats, [tasks, K].
        sensitivity: The sensitivity by phase of learning, [tasks, kinds of input, N].
        diverged: True if a gradient or the return was not finite, [tasks].
    """

    correlations: dict[str, np.ndarray]
    policy_changes: dict[str, np.ndarray]
    sensitivity: dict[str, dict[str, Sensitivity]]
    diverged: dict[str, np.ndarray]

    def without_diverged(self) -> Findings:
        """Returns the findings with NaN in place of the agents that diverged."""

        def blank(values: np.ndarray, method: str) -> np.ndarray:
            diverged = self.diverged["evolved" if method == "ppo_halves" else method]
            return np.where(diverged.reshape(-1, *[1] * (values.ndim - 1)), np.nan, values)

        return Findings(
            {method: blank(of, method) for method, of in self.correlations.items()},
            {method: blank(of, method) for method, of in self.policy_changes.items()},
            {
                method: {
                    phase: Sensitivity(*(blank(part, method) for part in norms))
                    for phase, norms in of.items()
                }
                for method, of in self.sensitivity.items()
            },
            self.diverged,
        )


@dataclasses.dataclass(frozen=True)
class Analysis(Settings, named="--"):
    """The settings of an analysis.

    Attributes:
        loss: The evolved loss; its config says how its agents learn.
        num_tasks: The number of held-out tasks.
    """

    loss: EvolvedLoss
    num_tasks: PositiveInt = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        phases_of_learning(self.inner_loop)

    @property
    def inner_loop(self) -> InnerLoop:
        """The settings of all lifetimes, with PPO as the guide."""
        return self.loss.inner_loop.with_ppo

    @property
    def inputs(self) -> tuple[str, ...]:
        """The kinds of input that the loss sees."""
        return tuple(self.inner_loop.learned_loss.inputs)

    @property
    def position(self) -> int:
        """The position t of the loss L_t whose sensitivity is measured, from 0."""
        return position_of_step(self.inner_loop)

    @property
    def phases(self) -> dict[str, range]:
        """The updates of each phase of learning."""
        return phases_of_learning(self.inner_loop)

    @property
    def task_seeds(self) -> list[int]:
        """The seed of each task."""
        return list(HELD_OUT_TASK_SEEDS[: self.num_tasks])

    @property
    def seeds(self) -> list[LifetimeSeed]:
        """The seed of the agent on each task, the same for both losses."""
        return [held_out_seed(self.loss.settings.seed, task) for task in range(self.num_tasks)]

    def run(self, on_update: Callable[[], object]) -> Findings:
        """Runs the agents' lifetimes and measures them.

        Args:
            on_update: Called at each of the K updates.
        """
        # Both losses share one batch, so that the measurements are compiled once.
        workers = Workers(self.inner_loop, self.loss.settings.family, 2 * self.num_tasks)
        learner, phi = workers.backends.reference, self._phi(workers)
        learner.load(phi)
        correlation = GradientCorrelation(learner, value_is_trained=self.loss.guidance > 0.0)
        change = PolicyChange(learner.agents)
        sensitivity = SensitivityOverLearning(learner, self.position, self.phases)

        def observe(update: Update) -> None:
            change.observe(update)
            sensitivity.observe(update)
            correlation.observe(update)
            on_update()

        lifetimes = workers.live(phi, self.seeds * 2, self.loss.guidance, observe)
        policy_changes = change.finish(lifetimes.agents)
        agents = {LOSSES[0]: slice(self.num_tasks), LOSSES[1]: slice(self.num_tasks, None)}
        return Findings(
            {method: correlation.with_ppo[ours] for method, ours in agents.items()}
            | {"ppo_halves": correlation.between_halves[agents["evolved"]]},
            {method: policy_changes[ours] for method, ours in agents.items()},
            {
                method: {
                    phase: Sensitivity(*(norms[ours] for norms in sensitivity.mean(phase)))
                    for phase in self.phases
                }
                for method, ours in agents.items()
            },
            {method: lifetimes.diverged[ours] for method, ours in agents.items()},
        )

    def _phi(self, workers: Workers) -> np.ndarray:
        """Returns the evolved loss for every task, then fresh ones, the evolution's start first.

        Returns:
            [2 tasks, P].
        """
        seed = self.loss.settings.seed
        evolved = np.tile(self.loss.phi, (self.num_tasks, 1))
        return np.stack([*evolved, *(workers.draw_phi(seed + n) for n in range(self.num_tasks))])
