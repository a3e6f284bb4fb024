"""The settings of a lifetime; Algorithm 1, lines 4-12, names them K, M, N and delta."""

from __future__ import annotations

import dataclasses
import math
from typing import Annotated, Literal

import numpy as np

from epg_tf.agent.normaliser import STD_FLOOR
from epg_tf.checks import FiniteNumber, PositiveInt, PositiveNumber, Settings, one_of
from epg_tf.inner_loop.episodes import OBJECTIVES, EpisodeReturns
from epg_tf.loss.guidance import PPO, Guide
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.tasks.family import TaskFamily


@dataclasses.dataclass(frozen=True)
class InnerLoop(Settings):
    """The settings of a lifetime.

    Attributes:
        num_updates: K.
        steps_per_update: M, environment steps before each update.
        buffer_size: N, how many of the newest steps the temporal convolutions see.
        learning_rate: delta in Eq. 4, the step size of the agents' Adam.
        num_minibatches: Gradient steps per pass over the M steps.
        num_passes: Passes over the M steps per update.
        learned_loss: The architecture of the learned loss.
        guide: The hand-made surrogate of Eq. 6.
        objective: The fitness R_i: "weighted_episodes" (footnote 1) or "last_episodes".
        hidden_sizes: Units of the hidden layers of policy and value function.
        memory_size: Units of the memory.
        initial_log_std: Where a Gaussian policy's log standard deviation starts.
        mean_activation: What a Gaussian policy's mean goes through: None, or "tanh", which keeps it
            in the actions' box, as TF-Agents does.
        log_std_bounds: The lowest and the highest log standard deviation that a Gaussian policy can
            have; None for no bounds. Where the noise dies down a loss has nothing to tell apart by,
            and where it runs away nothing is learned any more.
        train_memory: Whether the memory is trained.
        observation_statistics: The means and the standard deviations that observations are
            normalised by, a number each per number that is observed; None for those of what the
            agent has met in its own life, as in the paper. Where they are the same for all agents
            and for life, so is what the loss is shown of the same situation.
        refresh_statistics: When the normaliser takes in the newest M steps: "after_update", so
            that acting and learning see the same normalised observations, or "before_update".
        adam_epsilon: Epsilon of the agents' Adam.
        backend: What computes gradient steps on the learned loss: "tensorflow", or "numba", in 0.6
            of its time. Where actions are a finite set or there is guidance, TensorFlow does.

    Raises:
        ValueError: If a size is not a positive integer, or sizes do not fit together.
    """

    num_updates: PositiveInt = 128
    steps_per_update: PositiveInt = 128
    buffer_size: PositiveInt = 128
    learning_rate: PositiveNumber = 1e-3
    num_minibatches: PositiveInt = 1
    num_passes: PositiveInt = 1
    learned_loss: LearnedLoss = LearnedLoss()
    guide: Guide = PPO()
    objective: Annotated[str, one_of(OBJECTIVES)] = "weighted_episodes"
    hidden_sizes: tuple[PositiveInt, ...] = (64, 64)
    memory_size: PositiveInt = 32
    initial_log_std: FiniteNumber = 0.0
    mean_activation: Literal[None, "tanh"] = None
    log_std_bounds: tuple[float, float] | None = None
    train_memory: bool = True
    observation_statistics: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    refresh_statistics: Literal["after_update", "before_update"] = "after_update"
    adam_epsilon: PositiveNumber = 1e-8
    backend: Literal["tensorflow", "numba"] = "tensorflow"

    def __post_init__(self) -> None:
        super().__post_init__()
        start = f"`InnerLoop.initial_log_std` (={self.initial_log_std})"
        low, high = self.log_std_bounds or (-math.inf, math.inf)
        rule = f"be two numbers with {start} between them"
        self._require("log_std_bounds", low <= self.initial_log_std <= high, rule)
        penalty = self.learned_loss.log_std_penalty
        if penalty and self.log_std_bounds is None:
            raise ValueError(
                f"`LearnedLoss.log_std_penalty` (={penalty}) must be 0 unless "
                "`InnerLoop.log_std_bounds` says how quiet an agent can become."
            )
        mean, std = self.observation_statistics or ((), ())
        are_statistics = len(mean) == len(std) and all(number >= STD_FLOOR for number in std)
        rule = f"be as many means as standard deviations, and these at least {STD_FLOOR}"
        self._require("observation_statistics", are_statistics, rule)
        steps = f"`InnerLoop.steps_per_update` (={self.steps_per_update})"
        fits = self.buffer_size >= self.steps_per_update
        self._require("buffer_size", fits, f"be at least {steps}")
        shortest, convolutions = self.learned_loss.shortest_buffer, self.learned_loss.convolutions
        rule = f"be at least {shortest}, which `LearnedLoss.convolutions` (={convolutions}) need"
        self._require("buffer_size", self.buffer_size >= shortest, rule)
        divides = self.steps_per_update % self.num_minibatches == 0
        self._require("num_minibatches", divides, f"divide {steps}")

    def returns_of(self, episodes: EpisodeReturns) -> np.ndarray:
        """Returns R_i of lifetimes (Algorithm 1, line 13), [W]."""
        objective = OBJECTIVES[self.objective]
        return np.array([objective(one) for one in episodes.of_lifetimes()])

    def check(self, family: TaskFamily) -> None:
        """Checks that agents with these settings can live on such tasks.

        Raises:
            ValueError: If the statistics of observations are of another size.
        """
        if self.observation_statistics is not None:
            sizes = len(self.observation_statistics[0]), family.observation_size
            if sizes[0] != sizes[1]:
                raise ValueError(
                    f"`InnerLoop.observation_statistics` (of {sizes[0]} numbers) must be of "
                    f"{sizes[1]}, as `{type(family).__name__}` observes."
                )

    @property
    def with_ppo(self) -> InnerLoop:
        """The same lifetime where the guide, if it is another, is PPO."""
        return self if isinstance(self.guide, PPO) else dataclasses.replace(self, guide=PPO())
