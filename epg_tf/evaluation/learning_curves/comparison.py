"""The methods of a comparison and their held-out tasks.

Every method has the same tasks, resets and number of environment steps. All but TF-Agents' agents
also have the same first policies.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any

from epg_tf.checks import PositiveInt, PositiveNumber, Settings, one_of
from epg_tf.evaluation.methods import DEFAULT_METHODS, METHODS
from epg_tf.evolved_loss.load import EvolvedLoss
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.ranks import Ranks
from epg_tf.rivals.meta_training.trained import TrainedRival
from epg_tf.seeds import HELD_OUT_TASK_SEEDS, LifetimeSeed, held_out_seed

_MOST_AGENTS = 1_000_000


@dataclasses.dataclass(frozen=True)
class Comparison(Settings, named="--"):
    """The settings of a comparison.

    Attributes:
        loss: The evolved loss.
        methods: Names in `METHODS`. "evolved" is the loss, "phi_zero" the same architecture with
            all parameters 0, which leaves the confinement. "random_loss" draws fresh parameters;
            the evolution started from the first. "ppo" is our PPO with the networks and minibatches
            of the loss's agents; "tf_agents_ppo" and "tf_agents_sac" are those of TF-Agents.
            "rl2", "e_rl2", "maml" and "es_maml" need an entry in `rivals`. "teacher", the loss's
            teacher, and "cloned", its clone, act without learning; "no_action" never acts.
        num_tasks: The number of held-out tasks.
        num_seeds: The number of agents per task.
        num_updates: K, for all methods.
        give_reward: True if the losses may see rewards, and get the evolution's final guidance.
        ppo_learning_rate: The step size of our PPO; None for that of the loss's agents.
        ppo_num_passes: The passes of our PPO over the M newest steps; None for those of the loss's
            agents.
        rivals: The meta-trained rivals by method.
        converged: Horizontal lines beside the curves; see `read_levels`.

    Raises:
        ValueError: If a value is outside its range, if the loss sees rewards without `give_reward`,
            or if a method's teacher, rival or kind of action is missing.
    """

    loss: EvolvedLoss
    methods: tuple[Annotated[str, one_of(METHODS)], ...] = DEFAULT_METHODS
    num_tasks: PositiveInt = 32
    num_seeds: PositiveInt = 4
    num_updates: PositiveInt = 128
    give_reward: bool = False
    ppo_learning_rate: PositiveNumber | None = None
    ppo_num_passes: PositiveInt | None = None
    rivals: Mapping[str, TrainedRival] = dataclasses.field(default_factory=dict)
    converged: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_tasks * self.num_seeds > _MOST_AGENTS:
            raise ValueError(
                f"`--num_tasks` (={self.num_tasks}) times `--num_seeds` (={self.num_seeds}) must "
                f"be at most {_MOST_AGENTS:,} agents."
            )
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
        """Checks that meta-trained methods have rivals, and that rivals are compared and fit."""
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
        """The settings of all lifetimes but those of our PPO."""
        return dataclasses.replace(self.loss.inner_loop, num_updates=self.num_updates)

    @property
    def ppo_inner_loop(self) -> InnerLoop:
        """The settings of our PPO's lifetimes."""
        settings = self.inner_loop
        return dataclasses.replace(
            settings.with_ppo,
            learning_rate=self.ppo_learning_rate or settings.learning_rate,
            num_passes=self.ppo_num_passes or settings.num_passes,
        )

    @property
    def task_seeds(self) -> list[int]:
        """The seed of each task."""
        return list(HELD_OUT_TASK_SEEDS[: self.num_tasks])

    @property
    def early_update(self) -> int | None:
        """The K that the loss was evolved for, if the compared lifetimes are longer; else None."""
        evolved_for = self.loss.inner_loop.num_updates
        return evolved_for if evolved_for < self.num_updates else None

    @property
    def seeds(self) -> list[LifetimeSeed]:
        """The seed of every agent, task by task, the same for every method."""
        seed = self.loss.settings.seed
        return [
            held_out_seed(seed, task, repetition)
            for task in range(self.num_tasks)
            for repetition in range(self.num_seeds)
        ]

    def check_ranks(self, ranks: Ranks) -> None:
        """Checks that every rank gets an agent.

        Raises:
            ValueError: If there are more ranks than agents.
        """
        if self.num_tasks * self.num_seeds < ranks.size:
            raise ValueError(
                f"`--num_tasks` (={self.num_tasks}) times `--num_seeds` (={self.num_seeds}) must "
                f"be at least the number of ranks (={ranks.size})."
            )


def _paths(rivals: Mapping[str, TrainedRival]) -> str:
    return ",".join(str(rival.path) for rival in rivals.values()) or "none"
