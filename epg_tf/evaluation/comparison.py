"""Which methods are compared, on which held-out tasks, and how their agents are trained.

Every method sees the same tasks, first policies (those of TF-Agents' agents excepted), resets and
number of environment steps. The agents are shared out among the ranks, and each rank trains its own
in batches; what an agent learns depends on neither.
"""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from epg_tf.checks import require_integer, require_member, require_number
from epg_tf.evaluation.curves import learning_curves
from epg_tf.evaluation.held_out import held_out_seed
from epg_tf.evolution.ranks import Ranks
from epg_tf.evolved_loss import EvolvedLoss
from epg_tf.inner_loop import InnerLoop, LifetimeSeed
from epg_tf.tasks.family import HELD_OUT_TASK_SEEDS
from epg_tf.worker_groups import WorkerGroups

# Those of a comparison unless it names others; SAC takes longer than they do together.
DEFAULT_METHODS = ("evolved", "random_loss", "ppo", "tf_agents_ppo")
METHODS = (*DEFAULT_METHODS, "tf_agents_sac", "no_action")
BASELINE = "ppo"

_OWN_WAYS = ("tf_agents_ppo", "tf_agents_sac", "no_action")

# Agents side by side on a rank; more of them would cost memory and gain no speed.
_LARGEST_BATCH = 32


class Runs(NamedTuple):
    """What a method's agents came to.

    Attributes:
        curves: The return that each had arrived at by each update, [tasks, seeds, K].
        diverged: Whether a gradient (of our own methods) or a return was not finite,
            [tasks, seeds].
    """

    curves: np.ndarray
    diverged: np.ndarray


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What is compared with what.

    Attributes:
        loss: The evolved loss.
        methods: Out of `METHODS`: "evolved", the loss; "random_loss", fresh losses of its
            architecture, of which the first is the one that the evolution started from; "ppo", our
            PPO with the networks and minibatches of the loss's agents; "tf_agents_ppo" and
            "tf_agents_sac", TF-Agents' own PPO and SAC; "no_action", agents that never act.
        num_tasks: Held-out tasks.
        num_seeds: Agents per task.
        num_updates: K, for all methods.
        give_reward: Whether the losses may see rewards, and be helped by the guidance that the
            evolved one was left with when its evolution ended.
        ppo_learning_rate: Step size of our PPO; None for that of the loss's agents.
        ppo_num_passes: Passes of our PPO over the M newest steps; None for as many as the loss's
            agents make.

    Raises:
        ValueError: If a value is outside its range, or the loss sees rewards it is not to have, or
            SAC is to take one of finitely many actions, or none of them.
    """

    loss: EvolvedLoss
    methods: tuple[str, ...] = DEFAULT_METHODS
    num_tasks: int = 32
    num_seeds: int = 4
    num_updates: int = 128
    give_reward: bool = False
    ppo_learning_rate: float | None = None
    ppo_num_passes: int | None = None

    def __post_init__(self) -> None:
        for name in ("num_tasks", "num_seeds", "num_updates"):
            require_integer(f"--{name}", getattr(self, name))
        if self.ppo_learning_rate is not None:
            require_number("--ppo_learning_rate", self.ppo_learning_rate)
        if self.ppo_num_passes is not None:
            require_integer("--ppo_num_passes", self.ppo_num_passes)
        for method in self.methods:
            require_member("--methods", method, METHODS)
        if BASELINE not in self.methods or len(set(self.methods)) < len(self.methods):
            raise ValueError(
                f"`--methods` (={','.join(self.methods)}) must be distinct and contain "
                f"{BASELINE!r}, which the others are compared with."
            )
        family = self.loss.settings.family
        for method in ("tf_agents_sac", "no_action"):
            if method in self.methods and family.num_actions is not None:
                raise ValueError(
                    f"`--methods` (={','.join(self.methods)}) must not contain {method!r} where "
                    f"actions are not a box: {type(family).__name__} has {family.num_actions} of "
                    "them."
                )
        if self.loss.sees_reward and not self.give_reward:
            raise ValueError(
                f"`--loss` (={self.loss.path}) must not see the reward, as by "
                "`LearnedLoss.inputs` it does, unless --give_reward is given."
            )

    @property
    def inner_loop(self) -> InnerLoop:
        """What all lifetimes are like."""
        return dataclasses.replace(self.loss.inner_loop, num_updates=self.num_updates)

    @property
    def ppo_inner_loop(self) -> InnerLoop:
        """The same for our PPO."""
        settings = self.inner_loop
        return dataclasses.replace(
            settings.with_ppo,
            learning_rate=self.ppo_learning_rate or settings.learning_rate,
            num_passes=self.ppo_num_passes or settings.num_passes,
        )

    @property
    def task_seeds(self) -> list[int]:
        """Of each task."""
        return list(HELD_OUT_TASK_SEEDS[: self.num_tasks])

    @property
    def early_update(self) -> int | None:
        """The length of the lifetimes that the loss is for, where those compared are longer."""
        evolved_for = self.loss.inner_loop.num_updates
        return evolved_for if evolved_for < self.num_updates else None

    @property
    def seeds(self) -> list[LifetimeSeed]:
        """Of every agent, task by task; the same for every method."""
        seed = self.loss.settings.seed
        return [
            held_out_seed(seed, task, repetition)
            for task in range(self.num_tasks)
            for repetition in range(self.num_seeds)
        ]

    def check_ranks(self, ranks: Ranks) -> None:
        """Checks that there is an agent for every rank.

        Raises:
            ValueError: If there is not.
        """
        if self.num_tasks * self.num_seeds < ranks.size:
            raise ValueError(
                f"`--num_tasks` (={self.num_tasks}) times `--num_seeds` (={self.num_seeds}) must "
                f"be at least the number of ranks (={ranks.size})."
            )


class AgentTraining:
    """Trains this rank's share of the agents, one method after the other."""

    def __init__(self, comparison: Comparison, ranks: Ranks):
        """Prepares nothing yet: what a method needs is made when it is first trained.

        Args:
            comparison: What is compared.
            ranks: The processes that share the agents.
        """
        self._comparison = comparison
        self._ranks = ranks
        self._seeds = comparison.seeds
        self._share = ranks.share(len(self._seeds))
        threads = comparison.loss.settings.simulator_threads
        self._threads = ranks.threads() if threads is None else threads
        self._workers: WorkerGroups | None = None
        self._made_for: tuple[InnerLoop, int] | None = None

    @property
    def num_batches(self) -> int:
        """In how many batches this rank trains its agents."""
        return math.ceil(len(self._share) / _LARGEST_BATCH)

    def run(self, method: str, on_update: Callable[[], object]) -> Runs:
        """Trains a method's agents.

        Args:
            method: One of `METHODS`.
            on_update: Called after each of this rank's `num_batches` x K updates.

        Returns:
            All ranks' runs.
        """
        live = self._live_in_own_way if method in _OWN_WAYS else self._live
        curves, diverged = [], []
        for batch in self._batches():
            batch_curves, batch_diverged = live(method, batch, on_update)
            curves.append(batch_curves)
            diverged.append(batch_diverged)
        ours = slice(len(self._share))  # without those that fill up the last batch
        comparison = self._comparison
        shape = (comparison.num_tasks, comparison.num_seeds)
        all_curves = self._ranks.allgather(np.concatenate(curves)[ours])
        all_diverged = self._ranks.allgather(np.concatenate(diverged)[ours])
        return Runs(all_curves.reshape(*shape, -1), all_diverged.reshape(shape))

    def _batches(self) -> Iterator[list[int]]:
        """This rank's agents in batches of one size; the last is filled up with its last agent."""
        size = math.ceil(len(self._share) / self.num_batches)
        for start in range(0, len(self._share), size):
            batch = list(self._share[start : start + size])
            yield batch + batch[-1:] * (size - len(batch))

    def _live(
        self, method: str, agents: list[int], on_update: Callable[[], object]
    ) -> tuple[np.ndarray, np.ndarray]:
        comparison = self._comparison
        settings, guidance = comparison.inner_loop, comparison.loss.guidance
        if method == BASELINE:
            settings, guidance = comparison.ppo_inner_loop, 1.0
        workers = self._make_workers(settings, len(agents))
        lifetimes = workers.live(
            np.stack([self._phi(method, workers, agent) for agent in agents]),
            [self._seeds[agent] for agent in agents],
            guidance,
            lambda update: on_update(),
        )
        curves = learning_curves(lifetimes.episodes, *_budget(settings))
        return curves, lifetimes.diverged | ~np.isfinite(curves).all(axis=1)

    def _live_in_own_way(
        self, method: str, agents: list[int], on_update: Callable[[], object]
    ) -> tuple[np.ndarray, np.ndarray]:
        # TF-Agents' are slow to import, and not always wanted.
        learn = importlib.import_module(f"epg_tf.evaluation.{method}").learn
        comparison = self._comparison
        episodes = learn(
            comparison.inner_loop,
            comparison.loss.settings.family,
            [self._seeds[agent] for agent in agents],
            self._threads,
            lambda k: on_update(),
        )
        curves = learning_curves(episodes, *_budget(comparison.inner_loop))
        return curves, ~np.isfinite(curves).all(axis=1)

    def _phi(self, method: str, workers: WorkerGroups, agent: int) -> np.ndarray:
        if method == "random_loss":
            repetition = agent % self._comparison.num_seeds
            return workers.draw_phi(self._comparison.loss.settings.seed + repetition)
        return self._comparison.loss.phi

    def _make_workers(self, settings: InnerLoop, num_workers: int) -> WorkerGroups:
        """The last workers where they fit: methods that differ in phi and alpha share them."""
        if self._workers is None or self._made_for != (settings, num_workers):
            family = self._comparison.loss.settings.family
            self._workers = WorkerGroups(settings, family, num_workers, self._threads)
            self._made_for = (settings, num_workers)
        return self._workers


def _budget(settings: InnerLoop) -> tuple[int, int]:
    return settings.num_updates, settings.steps_per_update
