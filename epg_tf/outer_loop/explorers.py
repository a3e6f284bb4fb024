"""Explorers: agents of all ranks that follow an expert and provide its training data."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from epg_tf.agent.acting import ActingPolicy
from epg_tf.agent.experience import Experience
from epg_tf.inner_loop.collection import make_driver
from epg_tf.inner_loop.episodes import EpisodeReturns
from epg_tf.outer_loop.settings import MetaTraining
from epg_tf.ranks import Ranks
from epg_tf.schedules import value_in
from epg_tf.seeds import training_seed
from epg_tf.teaching.expert_teacher import ExpertTeacher
from epg_tf.teaching.transitions import task_numbers

_FIRST_EXPLORER = (
    2**20
)  # offset of worker numbers, so that explorers and workers share no random numbers
_EXPERT_STREAM = 0xE4BE  # separates the expert's random numbers from all others
_SMALLEST_GROUP = 8  # the fewest explorers per thread


class Explorers:
    """Agents that follow the expert and train it; results are the same on every rank.

    Attributes:
        expert: The expert; a separate state holds its parameters.
    """

    def __init__(self, teacher: ExpertTeacher, settings: MetaTraining, ranks: Ranks):
        """Makes the expert.

        Args:
            teacher: The settings of the expert.
            settings: The settings of the run.
            ranks: The processes that share the explorers.
        """
        self._teacher, self._ranks, self._seed = teacher, ranks, settings.seed
        self._family = teacher.family or settings.family
        self._share = ranks.share(teacher.num_explorers, "ExpertTeacher.num_explorers")
        threads = ranks.threads(settings.threads_per_rank)
        self._num_groups = max(1, min(threads, len(self._share) // _SMALLEST_GROUP))
        self.expert = teacher.make_expert(self._family)

    def train(
        self,
        state: Mapping[str, np.ndarray],
        epoch: int,
        on_steps: Callable[[int], object] = lambda num_steps: None,
    ) -> tuple[Mapping[str, np.ndarray], dict[str, float]]:
        """Collects an epoch's steps on new tasks, and trains the expert on them.

        Args:
            state: The state of the expert; empty for a fresh one.
            epoch: The epoch, from 1.
            on_steps: Called with the number of steps of all explorers after each iteration.

        Returns:
            The new state, and `expert_return`, the mean return of all finished episodes. The
            running episode counts for explorers that finished none.
        """
        teacher = self._teacher
        rate = value_in(teacher.expert_learning_rate, epoch)
        rng = np.random.default_rng((self._seed, epoch, _EXPERT_STREAM))
        state = state or self.expert.networks.draw(rng)
        cuts = np.linspace(0, len(self._share), self._num_groups + 1).astype(int)
        parts = [self._share[start:end] for start, end in itertools.pairwise(cuts)]
        drivers = [
            make_driver(
                self._family,
                [training_seed(self._seed, epoch, _FIRST_EXPLORER + explorer) for explorer in part],
                ActingPolicy,
                teacher.steps_per_iteration,
            )
            for part in parts
        ]
        mine = [task_numbers(driver.env.simulator.parameters) for driver in drivers]
        tasks = self._ranks.allgather(np.concatenate(mine))
        episodes = EpisodeReturns(teacher.num_explorers)
        with ThreadPoolExecutor(self._num_groups) as threads:
            for _ in range(teacher.num_iterations):
                for driver, some in zip(drivers, mine, strict=True):
                    driver.policy.load(*self.expert.actors(state, some))
                lived = threads.map(lambda driver: driver.run(), drivers)
                experience = self._of_all(list(lived))
                episodes.add(experience)
                on_steps(experience.reward.size)
                state = self.expert.learn(
                    state,
                    experience,
                    tasks,
                    rate,
                    teacher.expert_num_passes,
                    teacher.expert_minibatch_size,
                    rng,
                )
        ended = [one for returns in episodes.of_lifetimes() for one in returns]
        return state, {"expert_return": float(np.mean(ended))}

    def _of_all(self, lived: list[Experience]) -> Experience:
        """Returns the steps of all ranks' explorers, in the order of their numbers."""
        names = vars(lived[0])
        return Experience(
            *(
                self._ranks.allgather(np.concatenate([getattr(part, name) for part in lived]))
                for name in names
            )
        )
