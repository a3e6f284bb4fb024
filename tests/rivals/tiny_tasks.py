"""Tasks small enough that the best that can be done on them is known."""

import functools

import numpy as np

from epg_tf.seeds import Stream
from epg_tf.tasks.family import TaskFamily
from epg_tf.tasks.simulator import Step


@TaskFamily.register
class _Tasks:
    """A family of tasks without MuJoCo: it makes its simulator itself."""

    action_size = 1

    def make_simulator(self, seeds):
        return self.kind([np.random.default_rng(seed.task_seed) for seed in seeds], seeds)


class _Simulator:
    def __init__(self, generators, seeds):
        self.rngs = [seed.generator(Stream.RESETS) for seed in seeds]
        self.begin(generators)


class _BanditSimulator(_Simulator):
    def begin(self, generators):
        self.chances = np.stack([rng.random(2) for rng in generators])
        self.observation = np.zeros((len(generators), 1))

    def reset(self, workers):
        pass

    def step(self, action):
        chance = np.take_along_axis(self.chances, action[:, None], axis=1)[:, 0]
        paid = np.array([rng.random() for rng in self.rngs]) < chance
        ended = np.ones(len(paid), bool)
        return Step(self.observation, paid.astype(float), ended, ~ended)


class Bandit(_Tasks):
    """Two arms that pay 1 with a chance that is drawn from U(0, 1) for each; a pull an episode."""

    observation_size, num_actions, time_limit = 1, 2, 1
    kind = _BanditSimulator


@functools.cache
def best_of_bandit(pulls, counts=((0, 0), (0, 0))):
    """What the Bayes-optimal player is paid in so many more pulls, by dynamic programming.

    `counts` has of each arm how often it paid and how often it did not.
    """
    if pulls == 0:
        return 0.0
    values = []
    for arm, (paid, not_paid) in enumerate(counts):
        chance = (paid + 1) / (paid + not_paid + 2)
        after = [
            best_of_bandit(pulls - 1, tuple(new if a == arm else counts[a] for a in (0, 1)))
            for new in ((paid + 1, not_paid), (paid, not_paid + 1))
        ]
        values.append(chance * (1.0 + after[0]) + (1.0 - chance) * after[1])
    return max(values)


class _GridSimulator(_Simulator):
    moves = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])

    def begin(self, generators):
        self.goals = np.stack([2 * rng.integers(0, 2, 2) - 1 for rng in generators])
        self.observation = np.zeros(self.goals.shape)
        self.steps = np.zeros(len(self.goals), int)

    def reset(self, workers):
        self.observation[workers], self.steps[workers] = 0.0, 0

    def step(self, action):
        self.observation[...] = np.clip(self.observation + self.moves[action], -1, 1)
        self.steps += 1
        there = (self.observation == self.goals).all(axis=1)
        return Step(self.observation, there.astype(float), there, (self.steps >= 12) & ~there)


class Grid(_Tasks):
    """3 x 3 cells, a goal in one corner that is not seen, and a start in the middle.

    The corner is the task's. An episode ends there, with reward 1, or after 12 steps. The shortest
    way takes 2.
    """

    observation_size, num_actions, time_limit = 2, 4, 12
    kind = _GridSimulator


class _NavigationSimulator(_Simulator):
    def begin(self, generators):
        self.family, self.num_workers = Navigation(), len(generators)
        self.goals = np.stack([rng.uniform(-0.5, 0.5, 2) for rng in generators])
        self.observation = np.zeros(self.goals.shape)
        self.steps = np.zeros(len(self.goals), int)

    @property
    def state(self):
        return self.observation

    def reset(self, workers):
        self.observation[workers], self.steps[workers] = 0.0, 0

    def step(self, action):
        self.observation += np.clip(action, -0.1, 0.1)
        self.steps += 1
        reward = -np.square(self.observation - self.goals).sum(axis=1)
        ended = self.steps >= self.family.time_limit
        return Step(self.observation.copy(), reward, np.zeros_like(ended), ended)


class Navigation(_Tasks):
    """Points in the plane, each with a goal that it does not see (Finn et al. 2017, section 5.3).

    The reward is minus the squared distance; episodes begin in the middle and have 20 steps.
    """

    observation_size, action_size, num_actions, time_limit = 2, 2, None, 20
    kind = _NavigationSimulator


class _LineSimulator(_Simulator):
    def begin(self, generators):
        self.family, self.num_workers = Line(), len(generators)
        self.observation = self.state = np.zeros((len(generators), 1))

    def reset(self, workers):
        pass

    def step(self, action):
        ended = np.ones(len(action), bool)
        return Step(self.observation, -np.square(action[:, 0] - 1.0), ended, ~ended)


class Line(_Tasks):
    """One step along a line, in an episode of its own: reward -(action - 1)², whatever the task."""

    observation_size, action_size, num_actions, time_limit = 1, 1, None, 1
    kind = _LineSimulator
