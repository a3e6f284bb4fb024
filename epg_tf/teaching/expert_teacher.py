"""Teaching by an expert: the settings; `expert` has what it does."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np

from epg_tf.checks import FiniteNumber, PositiveInt, PositiveNumber
from epg_tf.inner_loop.learner import Learner
from epg_tf.inner_loop.lifetime import Update
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.guidance import PPO
from epg_tf.schedules import Schedule, require_schedule
from epg_tf.seeds import TRAINING_TASK_SEEDS
from epg_tf.tasks.family import TaskFamily
from epg_tf.teaching.demonstrations import Demonstrations
from epg_tf.teaching.expert import Expert
from epg_tf.teaching.expert_networks import ExpertNetworks, ExpertState
from epg_tf.teaching.teacher import Teacher, TeacherPolicy
from epg_tf.teaching.transitions import states_of, task_columns, task_numbers

_NUM_KNOWN_TASKS = 256  # for the mean and the spread of their parameters


@dataclasses.dataclass(frozen=True)
class ExpertTeacher(Teacher):
    """An expert teaches phi to make agents act as it would.

    One policy for all tasks learns by PPO beside phi, from explorers that follow it. Its value
    function sees the parameters of their tasks. In each epoch the explorers start on new tasks and
    the expert learns `num_iterations` times. Then agents live, and phi is fitted to the expert's
    actions in all kept states. Checkpoints hold its networks and Adam: some 0.2 MB with two layers
    of 64 units.

    Attributes:
        num_explorers: Agents that follow the expert, each on a different task.
        num_iterations: Iterations of PPO per epoch.
        steps_per_iteration: Steps of each explorer per iteration.
        ppo: The settings of PPO.
        expert_learning_rate: The step size of its Adam, a number or a schedule over epochs.
        expert_num_passes: Passes over the explorers' steps.
        expert_minibatch_size: Steps per gradient step.
        hidden_sizes: Units of the hidden layers of its policy and of its value function.
        initial_log_std: The first log standard deviation of its policy.
        expert_log_std_floor: The lower bound of it.
        sees: Names of the task's parameters that its policy sees; its value function sees all. phi
            sees none, and so learns the mean of the best actions given its own inputs.
        family: The tasks of the explorers, if they differ from the agents', for example in a reward
            that is easier to learn from.
    """

    num_passes: PositiveInt = 4
    num_explorers: PositiveInt = 64
    num_iterations: PositiveInt = 40
    steps_per_iteration: PositiveInt = 128
    ppo: PPO = PPO()
    expert_learning_rate: PositiveNumber | Schedule = 5e-4
    expert_num_passes: PositiveInt = 5
    expert_minibatch_size: PositiveInt = 512
    hidden_sizes: tuple[PositiveInt, ...] = (64, 64)
    initial_log_std: FiniteNumber = -0.7
    expert_log_std_floor: float = -1.9
    sees: tuple[str, ...] = ()
    family: TaskFamily | None = None
    policy_type: ClassVar = TeacherPolicy

    def __post_init__(self) -> None:
        super().__post_init__()
        rate = self._named("expert_learning_rate")
        require_schedule(rate, self.expert_learning_rate, self.num_epochs)
        start = self.initial_log_std
        rule = f"be at most `{self._named('initial_log_std')}` (={start:g})"
        self._require("expert_log_std_floor", self.expert_log_std_floor <= start, rule)

    def demonstrate(self, learner: Learner, update: Update) -> Demonstrations:
        """Records the inputs of the loss, and the states for the expert to label."""
        steps = states_of(update.experience, update.parameters)
        return Demonstrations(learner.loss_inputs(update.agents, update.batch), steps=steps)

    @property
    def own_env_steps(self) -> int:
        """The steps of the explorers; see `Teacher.own_env_steps`."""
        return self.num_explorers * self.num_iterations * self.steps_per_iteration

    def make_expert(self, family: TaskFamily) -> Expert:
        """Makes an expert for tasks of a family."""
        drawn = _drawn(family, _NUM_KNOWN_TASKS)
        networks = ExpertNetworks(
            family.observation_size,
            family.action_size,
            task_numbers(drawn),
            self.hidden_sizes,
            self.initial_log_std,
            self.expert_log_std_floor,
            task_columns(drawn, self.sees),
        )
        return Expert(networks, self.ppo)

    def actors(self, family: TaskFamily, state: ExpertState, tasks: np.ndarray):
        """Returns the arguments of `policy_type.load`; see `Expert.actors`."""
        return self.make_expert(family).actors(state, tasks)

    @property
    def actor_sees_task(self) -> bool:
        """True if its policy sees any parameter of the task."""
        return bool(self.sees)

    def check(self, inner_loop: InnerLoop, family: TaskFamily) -> None:
        """Checks that actions are a box, for explorers too; see `Teacher.check`."""
        super().check(inner_loop, family)
        self._require_box(family)
        met = self.family or family
        if (met.observation_size, met.action_size, met.num_actions) != (
            family.observation_size,
            family.action_size,
            None,
        ):
            raise ValueError(
                f"`{self._named('family')}` (={type(met).__name__}) must be observed and acted on "
                f"as `meta_train.family` (={type(family).__name__}) is."
            )
        known = sorted(name for name in _drawn(met, 1) if not name.startswith("_"))
        self._require("sees", set(self.sees) <= set(known), f"be names out of {known}")


def _drawn(family: TaskFamily, number: int) -> dict[str, np.ndarray]:
    """Returns the parameters of the first training tasks by name, [number, ...] each."""
    drawn = [family.sample(seed).parameters for seed in TRAINING_TASK_SEEDS[:number]]
    return {name: np.stack([np.asarray(one[name]) for one in drawn]) for name in drawn[0]}
