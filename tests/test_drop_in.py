"""`EvolvedLossAgent` among the parts of TF-Agents, and its numbers beside those of lifetimes."""

import contextlib
import pathlib
import re
import shutil
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from tf_agents.environments import tf_py_environment, utils
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory

import epg_tf
from epg_tf.agent.normaliser import RunningStatistics
from epg_tf.drop_in.statistics import FixedStatistics, LifetimeStatistics
from epg_tf.evolved_loss.description import describe
from epg_tf.evolved_loss.folder import find_loss
from epg_tf.evolved_loss.saved_model import export_loss
from epg_tf.inner_loop.learner import Learner
from epg_tf.inner_loop.networks import build_loss
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.gymnasium_env import TaskEnv
from epg_tf.tasks.reacher import RandomReacher

EXAMPLE = pathlib.Path(__file__).parent.parent / "examples" / "evolved_loss_in_tf_agents.py"
SETTINGS = InnerLoop(
    num_updates=2,
    steps_per_update=16,
    buffer_size=40,
    num_minibatches=2,
    num_passes=2,
    hidden_sizes=(5,),
)


def exported(settings, family, folder):
    phi = build_loss(settings, family).draw(np.random.default_rng(1))
    export_loss(settings, family, phi, folder)
    return folder


@pytest.fixture
def environment():
    """Makes environments that are closed afterwards."""
    with contextlib.ExitStack() as stack:

        def make(env="Reacher-v5"):
            env = gymnasium.make(env) if isinstance(env, str) else TaskEnv(env, task_seed=0)
            wrapped = epg_tf.GymnasiumEnvironment(env, seed=0)
            made = tf_py_environment.TFPyEnvironment(wrapped)
            stack.callback(made.close)
            return made

        yield make


def agent_of(folder, env, **options):
    agent = epg_tf.EvolvedLossAgent(env.time_step_spec(), env.action_spec(), folder, **options)
    agent.initialize()
    return agent


def lived(agent, env, time_step, num_steps):
    """So many steps without boundaries, as a replay buffer gives them, and where they lead."""
    parts, done = [], 0
    while done < num_steps:
        action = agent.collect_policy.action(time_step)
        following = env.step(action.action)
        parts.append(trajectory.from_transition(time_step, action, following))
        done += int(not time_step.is_last()[0])
        time_step = following
    return tf.nest.map_structure(lambda *steps: tf.stack(steps, axis=1), *parts), time_step


def test_an_agent_learns_gymnasiums_reacher_without_reward():
    said = subprocess.run(
        [sys.executable, EXAMPLE], check=True, timeout=300, capture_output=True, text=True
    )
    assert said.stderr == ""
    returns = [float(value) for value in re.findall(r"return (-?[\d.]+)", said.stdout)]
    assert len(returns) == 4 and returns[-1] > -20.0 and returns[-1] > returns[0]


@pytest.mark.parametrize("discrete", [False, True])
def test_an_update_descends_the_loss_of_what_was_lived(discrete, tmp_path, environment):
    family = DiscreteActions(RandomReacher()) if discrete else RandomReacher()
    env = environment(family)
    agent = agent_of(exported(SETTINGS, family, tmp_path / "loss"), env)
    time_step = env.reset()
    for update in range(5):
        experience, time_step = lived(agent, env, time_step, 16)
        before = [variable.numpy() for variable in agent.collect_policy.theta]
        info = agent.train(experience)
        assert np.isfinite(info.loss) and int(agent.train_step_counter) % 5 == (update + 1) % 5
        after = [variable.numpy() for variable in agent.collect_policy.theta]
        assert all(np.abs(a - b).max() > 0 for a, b in zip(before, after, strict=True))


def test_rewards_are_not_looked_at(tmp_path, environment):
    env, found = environment(), []
    folder = exported(SETTINGS, RandomReacher(), tmp_path / "loss")
    experience, _ = lived(agent_of(folder, env), env, env.reset(), 16)
    for factor in (1.0, -7.0):
        agent = agent_of(folder, env, seed=3)
        agent.train(experience._replace(reward=factor * experience.reward))
        found.append([variable.numpy() for variable in agent.collect_policy.theta])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_statistics_are_those_of_lifetimes():
    rule = describe(InnerLoop(), RandomReacher(), np.zeros(3))["normalisation"]
    rng = np.random.default_rng(0)
    ours, theirs = LifetimeStatistics(3, rule), RunningStatistics.start(1, 3)
    for _ in range(3):
        samples = rng.normal(2.0, [3.0, 1.0, 0.01], (7, 3))
        np.testing.assert_allclose(ours.normalise(samples), theirs.normalise(samples[None])[0])
        ours.update(tf.constant(samples))
        theirs = theirs.updated(samples[None])


def test_statistics_that_are_given_are_those_of_lifetimes():
    given = (0.5, -1.0, 2.0), (0.1, 1.0, 3.0)
    samples = np.random.default_rng(0).normal(size=(7, 3))
    ours, theirs = FixedStatistics(*given), RunningStatistics.of(*given, num_workers=1)
    for _ in range(2):
        np.testing.assert_allclose(
            ours.normalise(samples), theirs.normalise(samples[None])[0], rtol=1e-5
        )
        ours.update(tf.constant(samples))


def test_the_same_weights_act_and_see_as_the_projects_own(tmp_path, environment):
    settings, family = SETTINGS, RandomReacher()
    env = environment()
    agent = agent_of(exported(settings, family, tmp_path / "loss"), env)
    observation = np.random.default_rng(0).normal(size=(1, 6, 10)).astype(np.float32)
    learner = Learner(settings, family, 1)
    policy = learner.agents.policy
    wide = tf.constant(np.repeat(observation, policy.weights[0].shape[0], axis=0))  # with ghosts
    policy(wide)
    weights = [variable.numpy() for variable in agent.collect_policy.theta]
    policy.set_weights(
        [
            np.broadcast_to(weight.reshape(variable.shape[1:]), variable.shape)
            for weight, variable in zip(weights, policy.weights, strict=True)
        ]
    )
    mean, log_std = policy(wide)
    ours = agent.collect_policy.outputs(tf.constant(observation[0]))
    np.testing.assert_allclose(ours["policy_mean"], mean[0], rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(ours["policy_log_std"], log_std[0])


@pytest.mark.parametrize(
    ("env", "rule"),
    [
        (
            "InvertedPendulum-v5",
            "`time_step_spec.observation` (of shape [4]) must be of shape [10]",
        ),
        ("discrete", "`action_spec` (of int32) must be a box of float32"),
    ],
)
def test_a_loss_for_something_else_is_refused(env, rule, environment):
    made = environment(DiscreteActions(RandomReacher()) if env == "discrete" else env)
    with pytest.raises(ValueError, match=re.escape(rule)):
        agent_of("reacher", made)


def test_too_few_steps_and_too_many_agents_are_refused(tmp_path, environment):
    env = environment()
    agent = agent_of(exported(SETTINGS, RandomReacher(), tmp_path / "loss"), env)
    experience, _ = lived(agent, env, env.reset(), 12)
    with pytest.raises(ValueError, match=r"`experience` \(of 12 steps, .* must be of 16"):
        agent.train(experience)
    two = tf.nest.map_structure(lambda part: tf.repeat(part, 2, axis=0), experience)
    with pytest.raises(ValueError, match=r"`experience` \(of 2 environments\) must be of one"):
        agent.train(two)


def test_the_environment_is_one_of_tf_agents_and_ends_as_gymnasiums_does():
    env = epg_tf.GymnasiumEnvironment(gymnasium.make("Hopper-v5"), seed=0)
    utils.validate_py_environment(env, episodes=1)
    env = epg_tf.GymnasiumEnvironment(gymnasium.make("Reacher-v5"), seed=0)
    steps = [env.reset(), *(env.step(np.zeros(2, np.float32)) for _ in range(50))]
    assert steps[-1].step_type == ts.StepType.LAST and steps[-1].discount == 1.0
    assert env.step(np.zeros(2, np.float32)).is_first()
    space = gymnasium.spaces.Tuple([gymnasium.spaces.Discrete(2)])
    with pytest.raises(ValueError, match="`observation_space` .* must be a box or finitely many"):
        epg_tf.GymnasiumEnvironment(type("Other", (gymnasium.Env,), {"observation_space": space})())


def test_a_damaged_loss_is_refused(tmp_path, environment):
    folder = shutil.copytree(find_loss("reacher"), tmp_path / "loss")
    (folder / "loss.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="it is damaged"):
        agent_of(folder, environment())
