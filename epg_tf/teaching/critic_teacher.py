"""The settings of teaching by a critic; the algorithm is in `critic`."""

from __future__ import annotations

import dataclasses
from typing import Annotated, ClassVar

import numpy as np

from epg_tf.checks import PositiveInt, PositiveNumber, within
from epg_tf.inner_loop.learner import Learner
from epg_tf.inner_loop.lifetime import Update
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.tasks.family import TaskFamily
from epg_tf.teaching.critic import ActorPolicy, Critic, CriticState
from epg_tf.teaching.demonstrations import Demonstrations
from epg_tf.teaching.teacher import Teacher
from epg_tf.teaching.transitions import Transitions, transitions

_FIRST = 3  # factor on the gradient steps of a fresh critic


@dataclasses.dataclass(frozen=True)
class CriticTeacher(Teacher):
    """A critic teaches phi to raise its estimate of the agents' actions.

    It learns from all kept steps of all agents and sees the parameters of their tasks (`Critic`).
    Its gradients look farther ahead than a policy gradient of M steps, with a hundredth of the
    variance. Checkpoints hold its networks and Adams: some 4 MB with two layers of 256 units.

    Attributes:
        discount: gamma.
        num_steps: The n of n-step returns.
        num_gradient_steps: Gradient steps of the critics per epoch, three times as many in the
            first; the actor takes half as many.
        critic_minibatch_size: Transitions per gradient step.
        critic_learning_rate: The step size of the Adams of critics and actor.
        hidden_sizes: Units of the hidden layers of critics and actor.
        actor_sees_task: True if the actor sees the parameters of the task, as the critics do.
    """

    num_passes: PositiveInt = 2
    discount: Annotated[float, within("(0, 1]")] = 0.99
    num_steps: PositiveInt = 5
    num_gradient_steps: PositiveInt = 1500
    critic_minibatch_size: PositiveInt = 256
    critic_learning_rate: PositiveNumber = 3e-4
    hidden_sizes: tuple[PositiveInt, ...] = (256, 256)
    actor_sees_task: bool = False
    policy_type: ClassVar = ActorPolicy

    def demonstrate(self, learner: Learner, update: Update) -> Demonstrations:
        """Records the inputs of the loss, and the transitions that the critic learns from."""
        steps = transitions(update.experience, update.parameters, self.discount, self.num_steps)
        return Demonstrations(learner.loss_inputs(update.agents, update.batch), steps=steps)

    def make_critic(self, demonstrations: Demonstrations) -> Critic:
        """Makes a critic of the sizes of these demonstrations."""
        assert isinstance(demonstrations.steps, Transitions)
        _, action, *_, later_observation, task = demonstrations.steps
        return Critic(
            later_observation.shape[-1],
            action.shape[-1],
            task.shape[-1],
            self.hidden_sizes,
            self.critic_learning_rate,
            self.actor_sees_task,
        )

    def train(
        self,
        critic: Critic,
        state: CriticState,
        demonstrations: Demonstrations,
        rng: np.random.Generator,
    ) -> tuple[CriticState, float]:
        """Trains a critic on the kept transitions as these settings say; see `Critic.train`."""
        assert isinstance(demonstrations.steps, Transitions)
        num_steps = self.num_gradient_steps * (1 if state else _FIRST)
        return critic.train(state, demonstrations.steps, num_steps, self.critic_minibatch_size, rng)

    def actors(self, family: TaskFamily, state: CriticState, tasks: np.ndarray):
        """Returns the arguments of `policy_type.load`; see `Critic.actors`."""
        rest = self.hidden_sizes, self.critic_learning_rate, self.actor_sees_task
        critic = Critic(family.observation_size, family.action_size, tasks.shape[1], *rest)
        return critic.actors(state, tasks)

    def check(self, inner_loop: InnerLoop, family: TaskFamily) -> None:
        """Checks that actions are a box, in which there are gradients; see `Teacher.check`."""
        super().check(inner_loop, family)
        self._require_box(family)
