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
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory
from tf_agents.utils import common

import epg_tf
from epg_tf.agent.acting import ActingPolicy
from epg_tf.evolved_loss.folder import find_loss
from epg_tf.evolved_loss.saved_model import export_loss
from epg_tf.inner_loop.collection import make_driver
from epg_tf.inner_loop.networks import build_agents, build_loss
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.seeds import LifetimeSeed
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


FLOATS = tensor_spec.TensorSpec([10], tf.float32)
BOX = tensor_spec.BoundedTensorSpec([2], tf.float32, -1.0, 1.0)
WHOLE_BOX = tensor_spec.BoundedTensorSpec([2], tf.int32, 0, 3)
FROM_1 = tensor_spec.BoundedTensorSpec([], tf.int32, 1, 9)


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
        before = [variable.numpy() for variable in agent.collect_policy.network.weights]
        info = agent.train(experience)
        assert np.isfinite(info.loss) and int(agent.train_step_counter) % 5 == (update + 1) % 5
        after = [variable.numpy() for variable in agent.collect_policy.network.weights]
        assert all(np.abs(a - b).max() > 0 for a, b in zip(before, after, strict=True))


def test_rewards_are_not_looked_at(tmp_path, environment):
    env, found = environment(), []
    folder = exported(SETTINGS, RandomReacher(), tmp_path / "loss")
    experience, _ = lived(agent_of(folder, env), env, env.reset(), 16)
    for factor in (1.0, -7.0):
        agent = agent_of(folder, env, seed=3)
        agent.train(experience._replace(reward=factor * experience.reward))
        found.append([variable.numpy() for variable in agent.collect_policy.network.weights])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("discrete", [False, True])
def test_it_acts_as_agents_of_lifetimes_do(discrete, tmp_path, environment):
    family = DiscreteActions(RandomReacher()) if discrete else RandomReacher()
    env = environment(family)
    agent = agent_of(exported(SETTINGS, family, tmp_path / "loss"), env)
    agent.train(lived(agent, env, env.reset(), 16)[0])
    driver = make_driver(family, [LifetimeSeed(0, (0,))], ActingPolicy, 1)
    policy, learning = driver.policy, agent._learning
    weights = build_agents(SETTINGS, family).policy_weights(learning.agents)
    policy.load(weights, learning.statistics["observation"])
    observation = np.random.default_rng(0).normal(size=(1, 6, 10)).astype(np.float32)
    time_step = ts.restart(tf.constant(observation[0]), batch_size=6)
    distribution = agent.collect_policy.distribution(time_step).action
    expected = policy.mean(observation)[0]
    if discrete:
        assert distribution.dtype == env.action_spec().dtype
        expected -= np.log(np.exp(expected).sum(axis=1, keepdims=True))
        np.testing.assert_allclose(distribution.logits, expected, rtol=1e-4, atol=1e-6)
    else:
        np.testing.assert_allclose(distribution.mean(), expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(
            distribution.stddev(), np.broadcast_to(np.exp(weights[-1][0]), (6, 2)), rtol=1e-6
        )


def test_training_within_a_tf_function_is_refused(tmp_path, environment):
    """TF-Agents' examples say `agent.train = common.function(agent.train)`."""
    env = environment()
    agent = agent_of(exported(SETTINGS, RandomReacher(), tmp_path / "loss"), env)
    experience, _ = lived(agent, env, env.reset(), 16)
    agent.train = common.function(agent.train)
    with pytest.raises(ValueError, match=r"`train` \(within a tf.function\) must be"):
        agent.train(experience)


def test_a_restored_agent_goes_on_to_the_same_numbers(tmp_path, environment):
    env, folder = environment(), exported(SETTINGS, RandomReacher(), tmp_path / "loss")
    agent, other = agent_of(folder, env), agent_of(folder, env, seed=5)
    first, time_step = lived(agent, env, env.reset(), 16)
    agent.train(first)
    saved = common.Checkpointer(str(tmp_path / "checkpoints"), agent=agent)
    saved.save(global_step=0)
    common.Checkpointer(str(tmp_path / "checkpoints"), agent=other).initialize_or_restore()
    second, _ = lived(agent, env, time_step, 16)
    assert float(agent.train(second).loss) == float(other.train(second).loss)
    variables = (one.collect_policy.variables() for one in (agent, other))
    for ours, theirs in zip(*variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


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


@pytest.mark.parametrize(
    ("loss", "observation", "action", "rule"),
    [
        ("reacher", {"angles": FLOATS}, BOX, "`time_step_spec.observation` (a dict) must be one"),
        ("reacher", FLOATS, {"arm": BOX}, "`action_spec` (a dict) must be one"),
        ("reacher", FLOATS, WHOLE_BOX, "`action_spec` (of int32) must be a box of float32"),
        ("discrete", FLOATS, WHOLE_BOX, "`action_spec` (of shape [2]) must be one action number"),
        ("discrete", FLOATS, FROM_1, "`action_spec` (from 1) must begin at 0"),
    ],
)
def test_specs_of_other_kinds_are_refused(loss, observation, action, rule, tmp_path):
    if loss == "discrete":
        loss = exported(SETTINGS, DiscreteActions(RandomReacher()), tmp_path / "loss")
    with pytest.raises(ValueError, match=re.escape(rule)):
        epg_tf.EvolvedLossAgent(ts.time_step_spec(observation), action, loss)


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
    box, whole = (gymnasium.spaces.Box(0, 3, (2,), dtype) for dtype in (np.float32, np.int64))
    several = gymnasium.spaces.Tuple([gymnasium.spaces.Discrete(2)])
    for observations, actions, rule in (
        (several, box, "`observation_space` .* must be a box or finitely many"),
        (box, whole, "`action_space` .* must be a box of floats or finitely many"),
    ):
        spaces = {"observation_space": observations, "action_space": actions}
        with pytest.raises(ValueError, match=rule):
            epg_tf.GymnasiumEnvironment(type("Other", (gymnasium.Env,), spaces)())


def test_a_damaged_loss_is_refused(tmp_path, environment):
    folder = shutil.copytree(find_loss("reacher"), tmp_path / "loss")
    (folder / "loss.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="it is damaged"):
        agent_of(folder, environment())
