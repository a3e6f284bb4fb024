"""The settings of MAML for reinforcement learning."""

from __future__ import annotations

import dataclasses

from epg_tf.checks import PositiveInt, PositiveNumber
from epg_tf.rivals.adaptation.settings import Adaptation


@dataclasses.dataclass(frozen=True)
class MAML(Adaptation):
    """Initial weights, trained by PPO on the agents' steps after the inner steps.

    Finn et al. (2017) take a step of TRPO per epoch; here it is PPO, as in Rothfuss et al. (2019).

    Attributes:
        first_order: True if the meta-gradient treats the inner step's gradient as a constant.
        learning_rate: Adam's step size.
        num_passes: Passes of PPO over an epoch's tasks.
        num_minibatches: Gradient steps per pass; minibatches are of tasks.
        clip: The clip of PPO's ratio.
        max_gradient_norm: The norm that meta-gradients are clipped to.
    """

    first_order: bool = False
    learning_rate: PositiveNumber = 1e-3
    num_passes: PositiveInt = 5
    num_minibatches: PositiveInt = 1
    clip: PositiveNumber = 0.2
    max_gradient_norm: PositiveNumber = 0.5

    @property
    def method(self) -> str:
        """Its name in `evaluation.methods.METHODS`."""
        return "maml"
