"""p(M): a family of tasks, and one task drawn from it (Algorithm 1, line 5).

A family is a set of ranges and a few rules. `TaskFamily.sample` turns a seed into a `Task`: a
MuJoCo model and its drawn quantities. The rules give observation, reward and termination. They are
written once and serve compiled calls, the batched simulator and the scalar environment alike.

`simulator` and `gymnasium_env` step the models.
"""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from epg_tf.native.rules import observe_all, terminated_all
from epg_tf.tasks.idle_physics import leave_out_idle_physics
from epg_tf.tasks.rules import Rules

# Separates the random stream of a task from that of the episodes in an environment with the same
# seed.
_TASK_STREAM = 0x7A5C

Parameters = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Task:
    """One task: a MuJoCo model and its drawn quantities.

    Attributes:
        model: The compiled model. Models of one family have equal sizes; their numbers differ. None
            where the family has a `simulator_type` of its own.
        parameters: The drawn quantities, and derived ones that the family's rules need. All tasks
            of a family have the same keys and shapes. A key that begins with "_" is for the rules
            alone, not for people.
    """

    model: Any
    parameters: Mapping[str, np.ndarray | float]


class Quantity(NamedTuple):
    """A drawn quantity, in words.

    Attributes:
        name: The quantity, and how often it is drawn if that is not once per task.
        unit: The unit, or the value that it is a multiple of.
        range: The distribution.
    """

    name: str
    unit: str
    range: str


class Description(NamedTuple):
    """A family in words, for people; all parts but the summary may be empty.

    Attributes:
        summary: The tasks in one sentence.
        drawn: The quantities that differ from task to task or from episode to episode.
        observation: The content of an observation.
        reward: The terms of the reward.
        end: The conditions that end an episode.
        remarks: Further remarks, one paragraph each.
    """

    summary: str
    drawn: tuple[Quantity, ...] = ()
    observation: str = ""
    reward: str = ""
    end: str = ""
    remarks: tuple[str, ...] = ()


class Spaces:
    """The spaces of observations and actions.

    Attributes:
        observation_size: S, the length of an observation.
        action_size: A, the length of the box action; each number is meant for [-1, 1].
        num_actions: The size of a finite action space; None for a box.
    """

    observation_size: int
    action_size: int
    num_actions: int | None = None

    @property
    def action_features(self) -> int:
        """The size of an action as a loss's input: A, or the number of actions of a finite set."""
        return self.num_actions or self.action_size


class TaskFamily(Spaces, abc.ABC):
    """A distribution over tasks that share observation, action and rules.

    A new robot is a subclass: a frozen dataclass with its ranges as fields, the class attributes
    below and the abstract methods. It has either `rules` or `observe` and `terminated`. In methods
    W is the number of workers, and `parameters` holds every entry of `Task.parameters` with a
    leading axis W. A worker's row must not depend on other workers. The arguments have the types
    and shapes given here.

    Attributes:
        frame_skip: MuJoCo steps per environment step.
        time_limit: Environment steps after which an episode is truncated.
        simulator_type: The class that steps the tasks, made and used like
            `simulator.BatchSimulator`, which None stands for. Another one's state is not saved, so
            an epoch that is cut off begins again.
    """

    frame_skip: int
    time_limit: int
    simulator_type: type | None = None

    def sample(self, task_seed: int) -> Task:
        """Draws the task of a seed.

        Args:
            task_seed: Any non-negative integer; see `seeds.TRAINING_TASK_SEEDS`,
                `seeds.HELD_OUT_TASK_SEEDS` and `seeds.VALIDATION_TASK_SEEDS`.

        Returns:
            The task, the same for the same seed and family.

        Raises:
            ValueError: If the seed is not an integer of at least 0, or MuJoCo rejects the draw.
        """
        if not isinstance(task_seed, int | np.integer) or task_seed < 0:
            raise ValueError(f"`task_seed` (={task_seed!r}) must be a non-negative integer.")
        try:
            task = self.draw(np.random.default_rng((int(task_seed), _TASK_STREAM)))
        except ValueError as error:
            said = str(error).splitlines()[0]
            if not said.startswith("Error: "):  # MuJoCo's
                raise
            what = f"`{type(self).__name__}` (task {task_seed}) must draw what MuJoCo takes"
            raise ValueError(f"{what}; it says: {said.removeprefix('Error: ')}.") from error
        if task.model is not None:
            leave_out_idle_physics(task.model)
        return task

    @abc.abstractmethod
    def draw(self, rng: np.random.Generator) -> Task:
        """Draws one task, taking every random number from `rng`."""

    @abc.abstractmethod
    def initial_state(self, task: Task, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draws the start of an episode.

        Args:
            task: The task of the worker that starts an episode.
            rng: That worker's generator.

        Returns:
            Positions `[nq]` and velocities `[nv]`, in MuJoCo's units.
        """

    @property
    def rules(self) -> Rules | None:
        """`observe` and `terminated` for one worker; None for a family that is not compiled."""
        return None

    def observe(
        self,
        qpos: np.ndarray,
        qvel: np.ndarray,
        parameters: Parameters,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Returns the agents' observations, by `rules` unless a subclass overrides this.

        Args:
            qpos: Positions `[W, nq]`.
            qvel: Velocities `[W, nv]`.
            parameters: Stacked task parameters.
            out: The output array, `[W, S]` float64; a new array by default.

        Returns:
            Observations `[W, S]`.
        """
        if out is None:
            out = np.empty((len(qpos), self.observation_size))
        rules = self._stated_rules()
        observe_all(rules.observe, (qpos, qvel, rules.known(parameters, len(qpos))), out)
        return out

    @abc.abstractmethod
    def reward(
        self,
        qpos_before: np.ndarray,
        qpos: np.ndarray,
        qvel: np.ndarray,
        observation: np.ndarray,
        action: np.ndarray,
        parameters: Parameters,
    ) -> np.ndarray:
        """Returns the rewards of a step.

        Args:
            qpos_before: Positions before the step, `[W, nq]`.
            qpos: Positions after the step, `[W, nq]`.
            qvel: Velocities after the step, `[W, nv]`.
            observation: Observations after the step, `[W, S]`.
            action: The agents' actions, not clipped, `[W, A]` (or `[W]` integers).
            parameters: Stacked task parameters.

        Returns:
            Rewards `[W]`, float64.
        """

    def terminated(self, qpos: np.ndarray, qvel: np.ndarray, parameters: Parameters) -> np.ndarray:
        """Returns True for workers whose episode ends here, apart from the time limit.

        It follows `rules` unless a subclass overrides it.

        Args:
            qpos: Positions after the step, `[W, nq]`.
            qvel: Velocities after the step, `[W, nv]`.
            parameters: Stacked task parameters.

        Returns:
            A new array `[W]` of bool.
        """
        rules = self._stated_rules()
        return terminated_all(rules.terminated, (qpos, qvel, rules.known(parameters, len(qpos))))

    def describe(self) -> Description:
        """Describes the family for model cards and reports."""
        return Description(f"Tasks of {type(self).__name__}.")

    def control(self, action: np.ndarray) -> np.ndarray:
        """Turns actions into actuator controls `[W, nu]`; the caller clips them to their range."""
        return action

    def _stated_rules(self) -> Rules:
        if self.rules is None:
            name = type(self).__name__
            raise NotImplementedError(f"`{name}` needs `rules`, or `observe` and `terminated`.")
        return self.rules


def uniform(bounds: Sequence[float]) -> str:
    """Returns a uniform distribution between two bounds in words."""
    return f"U({bounds[0]:g}, {bounds[1]:g})"


def stack_parameters(tasks: Sequence[Task]) -> dict[str, np.ndarray]:
    """Stacks the parameters of W tasks into arrays with a leading axis W, for the rules."""
    return {
        name: np.stack([np.asarray(task.parameters[name], dtype=np.float64) for task in tasks])
        for name in tasks[0].parameters
    }
