"""The settings of adaptation to a task, which MAML and ES-MAML share."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from epg_tf.checks import FiniteNumber, NonNegativeNumber, PositiveInt, PositiveNumber, within
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
    """

    hidden_sizes: tuple[PositiveInt, ...] = (100, 100)
    initial_log_std: FiniteNumber = 0.0
    mean_activation: Literal[None, "tanh"] = None
    batch_steps: PositiveInt = 128
    num_inner_steps: PositiveInt = 1
    num_outer_batches: PositiveInt = 1
    step_size: PositiveNumber = 0.1
    later_step_size: NonNegativeNumber = 0.05
    discount: Annotated[float, within("[0, 1]")] = 0.99
    gae_lambda: Annotated[float, within("[0, 1]")] = 1.0
    baseline_penalty: PositiveNumber = 1e-5

    @property
    def sees_reward(self) -> bool:
        """True, since inner steps need advantages."""
        return True

    def check(self, family: TaskFamily) -> None:
        """Accepts every family."""
