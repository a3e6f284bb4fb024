"""The settings of RL² and of E-RL², which differ in one number."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from epg_tf.checks import (
    FiniteNumber,
    NonNegativeInt,
    NonNegativeNumber,
    PositiveInt,
    PositiveNumber,
    within,
)
from epg_tf.rivals.meta_training.rival import Rival
from epg_tf.tasks.family import TaskFamily


@dataclasses.dataclass(frozen=True)
class RL2(Rival):
    """A recurrent policy that learns a task by remembering its steps.

    Defaults follow varibad's RL² (Zintgraf et al. 2020) as far as it publishes them.

    Attributes:
        trial_steps: Environment steps of a trial. The policy keeps its state across the episodes of
            a trial and loses it at the end.
        chunk_steps: Steps that gradients go back through; `trial_steps` for the whole trial. A
            chunk starts from the state that the policy had there when it acted.
        hidden_size: Units of the GRU.
        embedding_size: Units of the layer below it.
        head_size: Units of the hidden layers of policy and value above it.
        learning_rate: Adam's step size.
        num_passes: Passes of PPO over an epoch's trials.
        num_minibatches: Gradient steps per pass; minibatches are of chunks.
        clip: The clip of PPO's ratio.
        discount: gamma. It applies across the ends of episodes. The end of a trial bootstraps, as
            lifetimes after training may be longer.
        gae_lambda: lambda of the advantages.
        value_coefficient: The weight of the value's error.
        entropy_coefficient: The weight of the policy's entropy.
        max_gradient_norm: The norm that gradients are clipped to.
        initial_log_std: The initial log standard deviation of a Gaussian policy.
        mean_activation: The activation of a Gaussian policy's mean: None or "tanh".
        num_free_episodes: First episodes of a trial whose rewards the policy sees but PPO does not
            maximise: 0 for RL², 1 or more for E-RL².
    """

    trial_steps: PositiveInt = 2048
    chunk_steps: PositiveInt = 128
    hidden_size: PositiveInt = 128
    embedding_size: PositiveInt = 64
    head_size: PositiveInt = 64
    learning_rate: PositiveNumber = 7e-4
    num_passes: PositiveInt = 2
    num_minibatches: PositiveInt = 4
    clip: PositiveNumber = 0.1
    discount: Annotated[float, within("[0, 1]")] = 0.97
    gae_lambda: Annotated[float, within("[0, 1]")] = 0.9
    value_coefficient: NonNegativeNumber = 0.5
    entropy_coefficient: NonNegativeNumber = 0.01
    max_gradient_norm: PositiveNumber = 0.5
    initial_log_std: FiniteNumber = 0.0
    mean_activation: Literal[None, "tanh"] = None
    num_free_episodes: NonNegativeInt = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        divides = self.trial_steps % self.chunk_steps == 0
        self._require("chunk_steps", divides, f"divide `RL2.trial_steps` (={self.trial_steps})")

    @property
    def method(self) -> str:
        """Its name in `evaluation.methods.METHODS`."""
        return "e_rl2" if self.num_free_episodes else "rl2"

    @property
    def sees_reward(self) -> bool:
        """True, since the last reward is among the inputs."""
        return True

    def check(self, family: TaskFamily) -> None:
        """Raises ValueError if all episodes of a trial may be free."""
        leaves_some = self.num_free_episodes * family.time_limit < self.trial_steps
        steps = f"`RL2.trial_steps` (={self.trial_steps})"
        rule = f"leave some of {steps}: an episode has up to {family.time_limit}"
        self._require("num_free_episodes", leaves_some, rule)
