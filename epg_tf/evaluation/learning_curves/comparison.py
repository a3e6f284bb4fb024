"""Which methods are compared, and on which held-out tasks.

Every method sees the same tasks, first policies (those of TF-Agents' agents excepted), resets and
number of environment steps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from epg_tf.checks import require_integer, require_member, require_number
from epg_tf.evaluation.methods import DEFAULT_METHODS, METHODS
from epg_tf.evolved_loss.load import EvolvedLoss
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.ranks import Ranks
from epg_tf.rivals.meta_training.trained import TrainedRival
from epg_tf.seeds import HELD_OUT_TASK_SEEDS, LifetimeSeed, held_out_seed

_MOST_AGENTS = 1_000_000


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What is compared with what.

    Attributes:
        loss: The evolved loss.
        methods: Out of `METHODS`: "evolved", the loss; "phi_zero", the same architecture with all
            parameters 0, which leaves the confinement; "random_loss", fresh losses of its
            architecture, of which the first is the one that the evolution started from; "ppo", our
            PPO with the networks and minibatches of the loss's agents; "tf_agents_ppo" and
            "tf_agents_sac", TF-Agents' own PPO and SAC; "rl2" and "e_rl2", which `rivals` must
            have; "teacher", the loss's teacher itself, and "cloned", a copy of it, which both act
            without learning; "no_action", agents that never act.
        num_tasks: Held-out tasks.
        num_seeds: Agents per task.
        num_updates: K, for all methods.
        give_reward: Whether the losses may see rewards, and be helped by the guidance that the
            evolved one was left with when its evolution ended.
        ppo_learning_rate: Step size of our PPO; None for that of the loss's agents.
        ppo_num_passes: Passes of our PPO over the M newest steps; None for as many as the loss's
            agents make.
        rivals: What has been meta-trained, by method.
        converged: Lines beside the curves; see `read_levels`.

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
    rivals: Mapping[str, TrainedRival] = dataclasses.field(default_factory=dict)
    converged: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("num_tasks", "num_seeds", "num_updates"):
            require_integer(f"--{name}", getattr(self, name))
        if self.num_tasks * self.num_seeds > _MOST_AGENTS:
            raise ValueError(
                f"`--num_tasks` (={self.num_tasks}) times `--num_seeds` (={self.num_seeds}) must "
                f"be at most {_MOST_AGENTS:,} agents."
            )
        if self.ppo_learning_rate is not None:
            require_number("--ppo_learning_rate", self.ppo_learning_rate)
        if self.ppo_num_passes is not None:
            require_integer("--ppo_num_passes", self.ppo_num_passes)
        for method in self.methods:
            require_member("--methods", method, tuple(METHODS))
        if not self.methods or len(set(self.methods)) < len(self.methods):
            raise ValueError(
                f"`--methods` (={','.join(self.methods)}) must be distinct, and at least one."
            )
        family = self.loss.settings.family
        for method in self.methods:
            if METHODS[method].needs_box and family.num_actions is not None:
                raise ValueError(
                    f"`--methods` (={','.join(self.methods)}) must not contain {method!r} where "
                    f"actions are not a box: {type(family).__name__} has {family.num_actions} of "
                    "them."
                )
            if METHODS[method].needs_teacher and self.loss.teacher is None:
                raise ValueError(
                    f"`--loss` (={self.loss.path}) must be a run or a checkpoint with the "
                    f"networks of its teacher, which {method!r} in --methods asks for."
                )
        self._check_rivals()
        if self.loss.sees_reward and not self.give_reward:
            raise ValueError(
                f"`--loss` (={self.loss.path}) must not see the reward, as by "
                "`LearnedLoss.inputs` it does, unless --give_reward is given."
            )

    def _check_rivals(self) -> None:
        """Checks that what has been meta-trained is there, is compared, and fits the tasks."""
        for method in self.methods:
            if METHODS[method].is_meta_trained and method not in self.rivals:
                raise ValueError(
                    f"`--rivals` (={_paths(self.rivals)}) must name the folder of a run of "
                    f"epg_tf.train_rival for {method!r}, which --methods asks for."
                )
        for method, rival in self.rivals.items():
            if method not in self.methods:
                raise ValueError(
                    f"`--rivals` (={_paths(self.rivals)}) must be of methods that are compared: "
                    f"{rival.path} is of {method!r}, which --methods does not name."
                )
            rival.check(self.loss.settings.family)

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


def _paths(rivals: Mapping[str, TrainedRival]) -> str:
    return ",".join(str(rival.path) for rival in rivals.values()) or "none"
