"""That TF-Agents' SAC is an opponent: it acts and learns as it should, each agent by itself."""

import dataclasses
import pathlib
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from off_the_shelf import experience, learn, make_policy, seeds, swap_in
from tf_agents.trajectories import time_step as ts

from epg_tf import config
from epg_tf.evaluation.learning_curves.comparison import Comparison
from epg_tf.evaluation.learning_curves.training import AgentTraining
from epg_tf.evolved_loss.load import EvolvedLoss
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.ranks import Ranks
from epg_tf.rivals import tf_agents_sac
from epg_tf.rivals.tf_agents_replay import ReplayBuffer
from epg_tf.rivals.tf_agents_sac import SACActingPolicy, swapped_sac
from epg_tf.rivals.tf_agents_sac_agent import TFAgentsSAC
from epg_tf.tasks.reacher import RandomReacher

PROJECT = pathlib.Path(__file__).parents[2]
SMALL = TFAgentsSAC(
    actor_fc_layers=(8, 8),
    critic_joint_fc_layers=(8, 8),
    batch_size=4,
    initial_collect_steps=20,
    collect_steps_per_iteration=10,
    train_steps_per_iteration=1,
)
FAMILY = RandomReacher()
SETTINGS = InnerLoop(num_updates=3, steps_per_update=40, buffer_size=40)


def replay_of(lived):
    replay = ReplayBuffer(2, lived.length, FAMILY.observation_size, FAMILY.action_size)
    replay.add(lived)
    return replay


@pytest.fixture(name="swapped", scope="module")
def make_swapped():
    """The `SwappedSAC` that `learn` uses too."""
    return swapped_sac(SMALL, FAMILY.observation_size, FAMILY.action_size)


@pytest.fixture(name="agents", scope="module")
def make_agents(swapped):
    """Two agents, before and after they have learned."""
    before = np.stack([swapped.draw(np.random.default_rng(n)) for n in range(2)])
    replay, after = replay_of(experience(FAMILY, 30, [9, 19])), before.copy()
    for worker in range(2):
        rng = np.random.default_rng(worker)
        batches = replay.sample(worker, SMALL.train_steps_per_iteration, SMALL.batch_size, rng)
        after[worker] = swapped.train(before[worker], 0, batches, rng)
    return before, after


def test_numpy_acts_by_the_distribution_of_the_collect_policy(swapped, agents):
    policy = make_policy(SACActingPolicy, FAMILY)
    policy.load(swapped.actor_weights(agents[1]))
    observation = np.random.default_rng(3).normal(size=(2, 10)).astype(np.float32)
    noise = np.random.default_rng(4).normal(size=(2, 2)).astype(np.float32)
    actions = policy.act(observation, noise)
    for worker in range(2):
        swap_in(swapped, agents[1][worker])
        time_step = ts.restart(tf.constant(observation[worker : worker + 1]), batch_size=1)
        distribution = swapped.agent.collect_policy.distribution(time_step).action
        normal = distribution.input_distribution
        expected = np.tanh(normal.mean() + normal.stddev() * noise[worker])
        np.testing.assert_allclose(actions[worker], expected[0], rtol=1e-4, atol=1e-5)


def test_first_actions_are_uniform_and_of_the_agents_own_generator():
    def draw(*numbers):
        policy = make_policy(SACActingPolicy, FAMILY, [np.random.default_rng(n) for n in numbers])
        noise = policy.draw_noise(2000)
        steps = range(noise.shape[1])
        return np.stack([policy.act(np.zeros((2, 10)), noise[:, t]) for t in steps], axis=1)

    actions, others = draw(0, 1), draw(2, 1)
    assert np.abs(actions).max() <= 1.0
    quarters, _ = np.histogram(actions[0], bins=4, range=(-1.0, 1.0))
    np.testing.assert_allclose(quarters / 4000, 0.25, atol=0.03)
    np.testing.assert_array_equal(actions[1], others[1])
    assert (actions[0] != others[0]).any()


def test_steps_are_replayed_as_they_were_and_only_a_termination_ends_what_is_expected():
    lived = experience(FAMILY, 30, [9, 19])
    drawn = replay_of(lived).sample(0, 20, 30, np.random.default_rng(0))
    time_step, action_step, next_time_step = drawn
    (row, column) = np.meshgrid(np.arange(20), np.arange(30), indexing="ij")
    distances = np.abs(lived.observation[0] - time_step.observation[row, column, None]).sum(-1)
    steps = distances.argmin(axis=-1)
    assert set(steps.ravel()) == set(range(30))
    np.testing.assert_array_equal(time_step.observation, lived.observation[0, steps])
    np.testing.assert_array_equal(action_step.action, lived.action[0, steps])
    np.testing.assert_allclose(next_time_step.reward, lived.reward[0, steps], rtol=1e-6)
    np.testing.assert_array_equal(next_time_step.observation, lived.next_observation[0, steps])
    np.testing.assert_array_equal(next_time_step.discount, np.where(steps == 19, 0.0, 1.0))


def test_target_critics_start_as_the_critics_and_follow_them(swapped, agents):
    first, _ = agents
    replay, rng = replay_of(experience(FAMILY, 30, [9, 19])), np.random.default_rng(0)
    later = swapped.train(first[0], 0, replay.sample(0, 1, SMALL.batch_size, rng), rng)
    tau = SMALL.target_update_tau
    critics = [*swapped.agent.trained_variables[1]]
    followers = [v for target in swapped.agent.target_critics for v in target.variables]
    for variable, follower in zip(critics, followers, strict=True):
        before, after = (swapped._swapped.views(vector) for vector in (first[0], later))
        np.testing.assert_array_equal(before[follower.ref()], before[variable.ref()])
        assert (after[variable.ref()] != before[variable.ref()]).any()
        np.testing.assert_allclose(
            after[follower.ref()],
            (1.0 - tau) * before[follower.ref()] + tau * after[variable.ref()],
            rtol=1e-5,
            atol=1e-7,
        )


def test_first_weights_are_drawn_by_tf_agents_rules_from_the_agents_own_generator(swapped):
    same, again, other = (swapped.draw(np.random.default_rng(n)) for n in (0, 0, 1))
    np.testing.assert_array_equal(same, again)
    kernel, others = (swapped.actor_weights(a[np.newaxis])[2][0] for a in (same, other))
    assert kernel.shape == (8, 8)
    assert not np.array_equal(kernel, others)


@pytest.fixture(name="three", scope="module")
def learn_three():
    updates = []
    episodes = learn(tf_agents_sac, SETTINGS, FAMILY, seeds(0, 1, 2), updates.append, SMALL)
    return episodes, updates


def test_an_agent_alone_is_the_agent_among_three(three):
    alone = learn(tf_agents_sac, SETTINGS, FAMILY, seeds(1), configuration=SMALL)
    assert alone.completed[0] == three[0].completed[1]


class OneOfTwo(Ranks):
    """A rank that has half of the agents, and hears nothing of the others."""

    def __init__(self, rank):
        super().__init__()
        self.rank, self.size = rank, 2

    def allgather(self, array):
        nothing = np.zeros_like(array)
        return np.concatenate([nothing, array] if self.rank else [array, nothing])


def test_two_ranks_train_the_agents_that_one_does(monkeypatch):
    monkeypatch.setattr(tf_agents_sac, "TFAgentsSAC", lambda: SMALL)
    preset = config.read(["gin/reacher.gin"], [])
    settings = dataclasses.replace(preset, inner_loop=SETTINGS)
    loss = EvolvedLoss(pathlib.Path("run"), np.zeros(1, np.float32), settings, "")
    comparison = Comparison(loss, ("ppo", "tf_agents_sac"), 2, 2, SETTINGS.num_updates)
    alone, *both = (
        AgentTraining(comparison, ranks).run("tf_agents_sac", mock.Mock()).curves
        for ranks in (Ranks(), OneOfTwo(0), OneOfTwo(1))
    )
    np.testing.assert_array_equal(sum(both), alone)
    assert len(set(alone[..., -1].ravel())) == 4


def test_it_takes_as_many_steps_as_any_lifetime_and_learns_on_the_way(three):
    episodes, updates = three
    assert updates == [1, 2, 3]
    assert episodes.last_steps == [[50, 100]] * 3  # of 3 * 40
    never = dataclasses.replace(SMALL, initial_collect_steps=1000)
    uniform = learn(tf_agents_sac, SETTINGS, FAMILY, seeds(0, 1, 2), configuration=never)
    # Until step 20 both act at random.
    assert all(a[0] != b[0] for a, b in zip(episodes.completed, uniform.completed, strict=True))


class NotLearning:
    """Stands in for a `SwappedSAC`, and notes when gradient steps are asked for."""

    def __init__(self):
        self.calls = []

    def draw(self, generator):
        return np.zeros(1, np.float32)

    def actor_weights(self, agents):
        return [np.zeros((len(agents), 10, 4), np.float32), np.zeros((len(agents), 4), np.float32)]

    def train(self, agent, num_train_steps, batches, generator):
        self.calls.append((num_train_steps, batches.next_time_step.reward.shape))
        return agent


@pytest.mark.parametrize(
    ("steps_per_update", "expected"),
    [
        (40, [(0, (5, 4)), (5, (5, 4)), (10, (5, 4))]),  # after 20, 30 and 40 steps
        (25, [(0, (2, 4)), (2, (2, 4))]),  # after 20 and 25: chunks of ten do not fit
    ],
)
def test_gradient_steps_follow_the_first_steps_in_proportion(
    steps_per_update, expected, monkeypatch
):
    sac = NotLearning()
    monkeypatch.setattr(tf_agents_sac, "swapped_sac", lambda *arguments: sac)
    settings = dataclasses.replace(
        SETTINGS, num_updates=1, steps_per_update=steps_per_update, num_minibatches=1
    )
    configuration = dataclasses.replace(SMALL, train_steps_per_iteration=5)
    learn(tf_agents_sac, settings, FAMILY, seeds(0), configuration=configuration)
    assert sac.calls == expected


def test_it_is_there_after_a_config_has_been_read():
    lines = (
        "from epg_tf import config",
        "config.read(['gin/reacher.gin'], [])",
        "from epg_tf.rivals import tf_agents_sac",
    )
    command = [sys.executable, "-c", "\n".join(lines)]
    result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_it_learns():
    settings = InnerLoop(num_updates=12)
    returns = np.array(learn(tf_agents_sac, settings, FAMILY, seeds(10, 11, 12)).completed)
    assert returns[:, :5].mean() < -25.0
    assert returns[:, -5:].mean() > -20.0
