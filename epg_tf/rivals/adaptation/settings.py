"""The settings of adaptation to a task, which MAML and ES-MAML share."""

from __future__ import annotations

import dataclasses
import math

from epg_tf.checks import require_integer, require_member, require_number
from epg_tf.rivals.meta_training.rival import Rival
from epg_tf.tasks.family import TaskFamily


@dataclasses.dataclass(frozen=True)
class Adaptation(Rival):
    """A policy with meta-learned initial weights, which policy-gradient steps adapt to a task.

    Defaults follow Finn et al. (2017) as far as they state them, except for `batch_steps`.

    Attributes:
        hidden_sizes: Units of the policy's hidden layers.
        initial_log_std: The log standard deviation of a Gaussian policy before meta-training.
        mean_activation: The activation of a Gaussian policy's mean: None or "tanh".
        batch_steps: Environment steps per inner step and task in meta-training. On
            new tasks, an inner step uses the M steps of an update.
        num_inner_steps: Inner steps in meta-training.
        num_outer_batches: Batches of `batch_steps` that adapted agents collect for the outer step,
            which follows the inner steps.
        step_size: The step size of an inner step.
        later_step_size: The step size of further inner steps, which only longer lifetimes have.
        discount: gamma of the advantages.
        gae_lambda: lambda of the advantages; 1 for returns minus the baseline.
        baseline_penalty: The penalty on the linear baseline's squared weights, per step.

    Raises:
        ValueError: If a value is outside its range.
    """

    hidden_sizes: tuple[int, ...] = (100, 100)
    initial_log_std: float = 0.0
    mean_activation: str | None = None
    batch_steps: int = 128
    num_inner_steps: int = 1
    num_outer_batches: int = 1
    step_size: float = 0.1
    later_step_size: float = 0.05
    discount: float = 0.99
    gae_lambda: float = 1.0
    baseline_penalty: float = 1e-5

    def __post_init__(self) -> None:
        name = type(self).__name__
        for size in self.hidden_sizes:
            require_integer(f"{name}.hidden_sizes", size)
        for setting in ("batch_steps", "num_inner_steps", "num_outer_batches"):
            require_integer(f"{name}.{setting}", getattr(self, setting))
        for setting in ("step_size", "baseline_penalty"):
            require_number(f"{name}.{setting}", getattr(self, setting))
        require_number(f"{name}.later_step_size", self.later_step_size, positive=False)
        for setting in ("discount", "gae_lambda"):
            value = getattr(self, setting)
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"`{name}.{setting}` (={value}) must be a number from 0 to 1.")
        if not math.isfinite(self.initial_log_std):
            raise ValueError(
                f"`{name}.initial_log_std` (={self.initial_log_std}) must be a finite number."
            )
        require_member(f"{name}.mean_activation", self.mean_activation, (None, "tanh"))

    @property
    def sees_reward(self) -> bool:
        """True, since inner steps need advantages."""
        return True

    def check(self, family: TaskFamily) -> None:
        """Accepts every family."""
