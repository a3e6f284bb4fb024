"""The TF-Agents environment: step types, discounts and drivers."""

from typing import Any

import numpy as np
import pytest
from tf_agents.drivers import py_driver
from tf_agents.environments import utils as environment_utils
from tf_agents.policies import random_py_policy
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts

from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.environment import BatchedEnvironment
from epg_tf.tasks.hopper import RandomHopper
from epg_tf.tasks.reacher import RandomReacher
from epg_tf.tasks.simulator import BatchSimulator

FIRST, MID, LAST = (int(kind) for kind in (ts.StepType.FIRST, ts.StepType.MID, ts.StepType.LAST))


def make_environment(family, num_workers) -> Any:  # TF-Agents' types allow for everything
    tasks = [family.sample(worker) for worker in range(num_workers)]
    rngs = [np.random.default_rng(worker) for worker in range(num_workers)]
    return BatchedEnvironment(BatchSimulator(family, tasks, rngs))


def run_stock_driver(environment, max_steps):
    """Runs a PyDriver with a random policy; returns the transitions it handed on."""
    policy = random_py_policy.RandomPyPolicy(
        environment.time_step_spec(), environment.action_spec(), seed=1
    )
    transitions = []
    driver = py_driver.PyDriver(
        environment,
        policy,
        observers=[],
        transition_observers=[transitions.append],
        max_steps=max_steps,
        end_episode_on_boundary=False,
    )
    driver.run(environment.reset())
    return [(before, action.action, after) for before, action, after in transitions]


@pytest.mark.parametrize(
    "family", [RandomReacher(), RandomHopper(), DiscreteActions(RandomReacher())]
)
def test_a_stock_driver_drives_it(family):
    num_workers = 4
    environment = make_environment(family, num_workers)
    transitions = run_stock_driver(environment, max_steps=500)
    step_types = np.stack([after.step_type for _, _, after in transitions])
    for before, action, after in transitions:
        for one, spec in zip(after, environment.time_step_spec(), strict=True):
            assert one.shape == (num_workers, *spec.shape) and one.dtype == spec.dtype
        assert array_spec.check_arrays_nest(action[0], environment.action_spec())
        # Per worker: FIRST follows LAST and nothing else.
        np.testing.assert_array_equal(after.step_type == FIRST, before.step_type == LAST)
        assert (after.reward[after.step_type == FIRST] == 0).all()
        assert (after.discount[after.step_type != LAST] == 1).all()
    assert (step_types == LAST).any(axis=0).all()
    # Episodes of different workers end at different times in the hopper, together in the reacher.
    last_discounts = np.concatenate([a.discount[a.step_type == LAST] for _, _, a in transitions])
    hopper = isinstance(family, RandomHopper)
    assert (last_discounts == (0.0 if hopper else 1.0)).all()
    assert hopper == bool(
        ((step_types == LAST).any(axis=1) & (step_types != LAST).any(axis=1)).any()
    )


def test_a_worker_at_its_end_ignores_its_action_while_the_others_step():
    family = RandomReacher()
    environment, reference = make_environment(family, 3), make_environment(family, 3)
    environment.reset()
    reference.reset()
    # Put worker 1 out of step with the others: its episode ends 10 steps before theirs.
    simulators = environment.simulator, reference.simulator
    action = np.full((3, 2), 0.3, np.float32)
    for simulator in simulators:
        for _ in range(10):
            simulator.step(action)
        simulator.reset(np.array([0, 2]))
    for _ in range(40):
        at_end = environment.step(action)
    assert at_end.step_type.tolist() == [MID, LAST, MID]
    assert at_end.discount.tolist() == [1, 1, 1]
    different = action.copy()
    different[1] = np.nan
    for _ in range(40):
        reference.step(action)
    after, expected = environment.step(different), reference.step(action)
    assert after.step_type.tolist() == [MID, FIRST, MID]
    for got, wanted in zip(after, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)
    # The arm of worker 1 is straight again.
    assert (after.observation[1, :2] > 0.99).all()


def test_a_simulator_failure_is_a_termination_and_counted_once():
    environment = make_environment(RandomReacher(), 2)
    environment.reset()
    environment.simulator.state[1, 5] = 1e11
    action = np.zeros((2, 2), np.float32)
    time_step = environment.step(action)
    assert time_step.step_type.tolist() == [MID, LAST]
    assert time_step.discount.tolist() == [1, 0]
    # The step that restarts worker 1 runs its broken state once more, and nobody hears of it.
    assert environment.step(action).step_type.tolist() == [MID, FIRST]
    assert environment.simulator.warnings.tolist() == [0, 1]
    assert environment.step(action).step_type.tolist() == [MID, MID]


def test_advance_yields_transitions_only():
    family = RandomHopper()
    environment, plain = make_environment(family, 4), make_environment(family, 4).simulator
    rng = np.random.default_rng(0)
    ends = 0
    for _ in range(300):
        action = rng.uniform(-1, 1, (4, 3))
        step, expected = environment.advance(action), plain.step(action)
        for got, wanted in zip(step, expected, strict=True):
            np.testing.assert_array_equal(got, wanted)
        ended = expected.terminated | expected.truncated
        plain.reset(np.flatnonzero(ended))
        np.testing.assert_array_equal(environment.simulator.observation, plain.observation)
        time_step = environment.current_time_step()
        np.testing.assert_array_equal(time_step.step_type, np.where(ended, FIRST, MID))
        np.testing.assert_array_equal(time_step.observation, plain.observation.astype(np.float32))
        np.testing.assert_array_equal(time_step.discount, np.ones(4))
        np.testing.assert_allclose(time_step.reward, np.where(ended, 0, step.reward), rtol=1e-6)
        ends += ended.sum()
    assert ends > 4


def test_step_and_advance_may_alternate():
    environment = make_environment(RandomReacher(), 2)
    environment.reset()
    action = np.ones((2, 2), np.float32)
    for _ in range(30):
        environment.advance(action)
    for _ in range(20):
        time_step = environment.step(action)
    assert time_step.step_type.tolist() == [LAST, LAST]
    # advance really steps: it starts the next episode first.
    step = environment.advance(action)
    assert not step.truncated.any()
    assert (step.observation[:, :2] > 0.9).all()
    assert environment.current_time_step().step_type.tolist() == [MID, MID]
    assert environment.step(action).step_type.tolist() == [MID, MID]


def test_the_specs_are_met():
    environment = make_environment(RandomReacher(), 2)
    environment_utils.validate_py_environment(environment, episodes=3)
    assert environment.batched and environment.batch_size == 2
    assert environment.observation_spec().shape == (10,)
    assert environment.action_spec().shape == (2,)
    finite = make_environment(DiscreteActions(RandomReacher()), 2).action_spec()
    assert (finite.minimum, finite.maximum, finite.shape) == (0, 8, ())
