"""The settings of a lifetime; Algorithm 1, lines 4-12, names them K, M, N and delta."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from epg_tf.agent.normaliser import STD_FLOOR
from epg_tf.checks import require_integer, require_member, require_number
from epg_tf.inner_loop.episodes import OBJECTIVES, EpisodeReturns
from epg_tf.loss.guidance import PPO, Guide
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.tasks.family import TaskFamily

_REFRESHES = ("after_update", "before_update")


@dataclasses.dataclass(frozen=True)
class InnerLoop:
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

    num_updates: int = 128
    steps_per_update: int = 128
    buffer_size: int = 128
    learning_rate: float = 1e-3
    num_minibatches: int = 1
    num_passes: int = 1
    learned_loss: LearnedLoss = LearnedLoss()
    guide: Guide = PPO()
    objective: str = "weighted_episodes"
    hidden_sizes: tuple[int, ...] = (64, 64)
    memory_size: int = 32
    initial_log_std: float = 0.0
    mean_activation: str | None = None
    log_std_bounds: tuple[float, float] | None = None
    train_memory: bool = True
    observation_statistics: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    refresh_statistics: str = "after_update"
    adam_epsilon: float = 1e-8
    backend: str = "tensorflow"

    def __post_init__(self) -> None:
        for name in (
            "num_updates",
            "steps_per_update",
            "buffer_size",
            "num_minibatches",
            "num_passes",
            "memory_size",
        ):
            require_integer(f"InnerLoop.{name}", getattr(self, name))
        for size in self.hidden_sizes:
            require_integer("InnerLoop.hidden_sizes", size)
        require_number("InnerLoop.learning_rate", self.learning_rate)
        require_number("InnerLoop.adam_epsilon", self.adam_epsilon)
        if not math.isfinite(self.initial_log_std):
            raise ValueError(
                f"`InnerLoop.initial_log_std` (={self.initial_log_std}) must be a finite number."
            )
        if self.log_std_bounds is not None:
            low, high = self.log_std_bounds
            if not low <= self.initial_log_std <= high:
                raise ValueError(
                    f"`InnerLoop.log_std_bounds` (={self.log_std_bounds}) must be two numbers with "
                    f"`InnerLoop.initial_log_std` (={self.initial_log_std}) between them."
                )
        penalty = self.learned_loss.log_std_penalty
        if penalty and self.log_std_bounds is None:
            raise ValueError(
                f"`LearnedLoss.log_std_penalty` (={penalty}) must be 0 unless "
                "`InnerLoop.log_std_bounds` says how quiet an agent can become."
            )
        if self.observation_statistics is not None:
            mean, std = self.observation_statistics
            if len(mean) != len(std) or not all(number >= STD_FLOOR for number in std):
                raise ValueError(
                    f"`InnerLoop.observation_statistics` (={self.observation_statistics}) must be "
                    f"as many means as standard deviations, and these at least {STD_FLOOR}."
                )
        require_member("InnerLoop.mean_activation", self.mean_activation, (None, "tanh"))
        require_member("InnerLoop.objective", self.objective, tuple(OBJECTIVES))
        require_member("InnerLoop.refresh_statistics", self.refresh_statistics, _REFRESHES)
        require_member("InnerLoop.backend", self.backend, ("tensorflow", "numba"))
        shortest = self.learned_loss.shortest_buffer
        if self.buffer_size < self.steps_per_update:
            raise ValueError(
                f"`InnerLoop.buffer_size` (={self.buffer_size}) must be at least "
                f"`InnerLoop.steps_per_update` (={self.steps_per_update})."
            )
        if self.buffer_size < shortest:
            raise ValueError(
                f"`InnerLoop.buffer_size` (={self.buffer_size}) must be at least {shortest}, which "
                f"`LearnedLoss.convolutions` (={self.learned_loss.convolutions}) need."
            )
        if self.steps_per_update % self.num_minibatches:
            raise ValueError(
                f"`InnerLoop.num_minibatches` (={self.num_minibatches}) must divide "
                f"`InnerLoop.steps_per_update` (={self.steps_per_update})."
            )

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
