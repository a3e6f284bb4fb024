"""RL²: trains a recurrent policy over many trials; it then learns a task by remembering."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from epg_tf.agent.arrays import Arrays, in_order
from epg_tf.agent.experience import Experience
from epg_tf.inner_loop.episodes import EpisodeReturns, last_episodes
from epg_tf.rivals.meta_training.rival import EpochOutcome, MetaLearner
from epg_tf.rivals.ppo import GradientSteps
from epg_tf.rivals.rl2.acting import RecurrentActor
from epg_tf.rivals.rl2.network import RecurrentNetwork
from epg_tf.rivals.rl2.normalisation import Normalisation
from epg_tf.rivals.rl2.ppo import chunks_of, counted_rewards, loss_of
from epg_tf.rivals.rl2.settings import RL2
from epg_tf.rivals.rl2.trials import TrialDriver, Trials
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.family import TaskFamily

_COLLECTING = 0.5  # the share of an epoch's time, for the progress bar


class RL2Learner(MetaLearner):
    """Trains the policy of RL² or E-RL² on a family's tasks."""

    def __init__(self, settings: RL2, family: TaskFamily, num_threads: int = 0):
        """Builds the network.

        Args:
            settings: The settings of RL² or E-RL².
            family: The distribution of tasks for meta-training.
            num_threads: Threads of the simulator; 0 for the caller's alone.
        """
        self._settings, self._family, self._num_threads = settings, family, num_threads
        network = self._make_network(seed=0)
        loss = functools.partial(loss_of, settings, network)
        self._steps = GradientSteps(settings, network.parameters, loss)

    def first_state(self, seed: int) -> Arrays:
        """Returns the initial state of a run with a seed."""
        weights = [variable.numpy() for variable in self._make_network(seed).parameters]
        normalisation = Normalisation.start(self._family.observation_size)
        return {**self._steps.first_state(weights), **normalisation.as_arrays()}

    def train_epoch(
        self,
        state: Arrays,
        seeds: Sequence[LifetimeSeed],
        generator: np.random.Generator,
        on_progress: Callable[[float], object],
    ) -> EpochOutcome:
        """Runs a trial on every task, then PPO over all of them; see `MetaLearner`."""
        settings = self._settings
        driver = self._begin(state, self._family, seeds, self._num_threads)
        chunks = settings.trial_steps // settings.chunk_steps
        trials = driver.run(
            settings.trial_steps,
            settings.chunk_steps,
            lambda: on_progress(_COLLECTING / chunks),
        )
        before = Normalisation.from_arrays(state)
        after = before.updated(trials.observations, trials.rewards, settings.discount)
        rewards = counted_rewards(
            after.scaled(trials.rewards), trials.ended, settings.num_free_episodes
        )
        arrays, logs = self._steps.run(state, chunks_of(settings, trials, rewards), generator)
        on_progress(1.0 - _COLLECTING)
        found = {**arrays, **after.as_arrays()}
        return EpochOutcome(found, trials.rewards.size, {**_returns(trials), **logs})

    def rollouts(
        self,
        state: Arrays,
        family: TaskFamily,
        seeds: Sequence[LifetimeSeed],
        num_steps: int,
        num_threads: int = 0,
    ) -> Iterator[Experience]:
        """Lives through a single trial on each task; see `MetaLearner`."""
        driver = self._begin(state, family, seeds, num_threads)
        while True:
            yield _experience(driver.run(num_steps))

    def _begin(
        self,
        state: Arrays,
        family: TaskFamily,
        seeds: Sequence[LifetimeSeed],
        num_threads: int,
    ) -> TrialDriver:
        """Makes the driver of agents with empty memories on new tasks."""
        actor = RecurrentActor(
            in_order(state, "weights"),
            Normalisation.from_arrays(state),
            len(seeds),
            family.num_actions,
            squashed=self._settings.mean_activation == "tanh" and family.num_actions is None,
        )
        return TrialDriver(family, seeds, actor, num_threads)

    def _make_network(self, seed: int) -> RecurrentNetwork:
        family = self._family
        size = family.observation_size + (family.num_actions or family.action_size) + 2
        made = self._settings, size, family.action_size, family.num_actions, seed
        return RecurrentNetwork(*made)  # pyright: ignore[reportReturnType]


def _returns(trials: Trials) -> dict[str, float]:
    """Returns two means over trials: the return of the last three episodes and of the first."""
    episodes = EpisodeReturns(trials.rewards.shape[1])
    episodes.add(_experience(trials))
    all_of_them = episodes.of_lifetimes()
    return {
        "return_mean": float(np.mean([last_episodes(returns) for returns in all_of_them])),
        "return_of_first_episode": float(np.mean([returns[0] for returns in all_of_them])),
    }


def _experience(trials: Trials) -> Experience:
    """Returns trials, workers first, with all that `EpisodeReturns` reads."""
    columns = (trials.observations, trials.actions, trials.rewards, trials.ended, trials.ended)
    columns = [np.swapaxes(column, 0, 1) for column in columns]
    return Experience(*columns, next_observation=columns[0])
