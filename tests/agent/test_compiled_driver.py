"""The call that takes many steps at once, held to the driver that takes one after the other."""

import dataclasses

import numpy as np
import pytest

from epg_tf.agent import driver as drivers
from epg_tf.agent.acting import ActingPolicy
from epg_tf.agent.agents import Agents
from epg_tf.agent.driver import CompiledDriver, LifetimeDriver
from epg_tf.agent.normaliser import RunningStatistics
from epg_tf.native import rules as machine_code
from epg_tf.tasks.bodies.random_body import RandomBody
from epg_tf.tasks.bodies.robots import GoalAnt, RandomHalfCheetah, RandomWalker
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.environment import BatchedEnvironment
from epg_tf.tasks.family import stack_parameters
from epg_tf.tasks.hopper import DirHopper, RandomHopper
from epg_tf.tasks.reacher import RandomReacher
from epg_tf.tasks.rules import rules_in_force
from epg_tf.tasks.simulator import BatchSimulator

ARM = RandomBody(  # positions held by motors, whose ranges are not the actions'; a goal at its tip
    "examples/robots/arm.xml",
    length=(0.6, 1.4),
    point="tip",
    goal=((0.1, 0.4), (-0.3, 0.3), (0.1, 0.5)),
    distance_cost=1.0,
    time_limit=20,
)
FAMILIES = {
    "reacher": RandomReacher(),
    "hopper": RandomHopper(),
    "hopper_v5": RandomHopper(reward_rule="gymnasium"),
    "dir_hopper": DirHopper(),
    "walker": RandomWalker(),
    "half_cheetah": RandomHalfCheetah(),
    "ant": GoalAnt(),
    "arm": ARM,
    "discrete_arm": DiscreteActions(ARM, 3),
    "discrete_reacher": DiscreteActions(RandomReacher(), 3),
}
# Contacts make so much more of a difference that so few steps are compared.
CHAOTIC = {"half_cheetah": 8, "ant": 8}
by_name = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def make(kind, family, workers=range(5), num_steps=50, scale=1.0, mean_activation=None):
    """A driver of the workers with these numbers: a number is a task, an agent and its noise."""
    agents = Agents(len(workers), family.observation_size, family.action_size, family.num_actions)
    agents.assign(agents.draw([np.random.default_rng([w, 0]) for w in workers]).theta)
    simulator = BatchSimulator(
        family,
        [family.sample(w) for w in workers],
        [np.random.default_rng([w, 1]) for w in workers],
    )
    environment = BatchedEnvironment(simulator)
    policy = ActingPolicy(
        environment.time_step_spec(),
        environment.action_spec(),
        [np.random.default_rng([w, 2]) for w in workers],
        mean_activation,
    )
    samples = [
        np.random.default_rng([w, 3]).normal(0.1, 0.5, (40, family.observation_size))
        for w in workers
    ]
    start = RunningStatistics.start(len(workers), family.observation_size)
    weights = [scale * weight for weight in agents.policy.get_weights()]
    policy.load(weights, start.updated(np.stack(samples)))
    return kind(environment, policy, num_steps)


def assert_same(compiled, stepped, tolerance):
    for field in dataclasses.fields(stepped):
        ours, theirs = getattr(compiled, field.name), getattr(stepped, field.name)
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, atol=tolerance, rtol=tolerance)


@by_name
@pytest.mark.parametrize("mean_activation", [None, "tanh"])
def test_both_drivers_live_the_same(family, mean_activation):
    assert type(make(drivers.make, family)) is CompiledDriver
    num_steps = next((CHAOTIC[name] for name in CHAOTIC if FAMILIES[name] is family), 50)
    how = {"num_steps": num_steps, "mean_activation": mean_activation}
    compiled, stepped = (make(kind, family, **how) for kind in (CompiledDriver, LifetimeDriver))
    # They differ by the order in which products are summed, which physics then makes more of.
    assert_same(compiled.run(), stepped.run(), 1e-5)
    for ours, theirs in zip(compiled.rollout, stepped.rollout, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=1e-5)
    assert_same(compiled.run(), stepped.run(), 1e-3)
    ours, theirs = compiled.env.simulator, stepped.env.simulator
    np.testing.assert_allclose(ours.observation, theirs.observation, atol=1e-3, rtol=1e-3)
    np.testing.assert_allclose(ours.state, theirs.state, atol=1e-3, rtol=1e-3)
    np.testing.assert_array_equal(ours.steps, theirs.steps)


@by_name
def test_physics_given_the_same_controls_is_the_same_to_the_bit(family):
    """Agents whose weights are 0 do what their noise says: nothing is summed in any order."""
    compiled, stepped = (make(k, family, scale=0.0) for k in (CompiledDriver, LifetimeDriver))
    ours, theirs = compiled.run(), stepped.run()
    np.testing.assert_array_equal(ours.action, theirs.action)
    for name in ("before", "after", "terminated", "ended"):
        one, other = getattr(compiled.rollout, name), getattr(stepped.rollout, name)
        np.testing.assert_array_equal(one, other)
    assert_same(ours, theirs, 1e-7)  # what is seen is computed in two ways


@by_name
def test_a_worker_lives_the_same_alone(family):
    together, alone = make(CompiledDriver, family), make(CompiledDriver, family, workers=[3])
    for _ in range(2):
        many, one = together.run(), alone.run()
        for field in dataclasses.fields(one):
            np.testing.assert_array_equal(getattr(many, field.name)[3:4], getattr(one, field.name))


@pytest.mark.parametrize("num_steps", [7, 200])
def test_steps_do_not_depend_on_how_many_are_taken_at_a_time(num_steps):
    """200 steps end more episodes than there are starts drawn ahead."""
    few = make(CompiledDriver, RandomHopper(), num_steps=num_steps)
    many = make(CompiledDriver, RandomHopper(), num_steps=1400)
    lived = few.run()
    for _ in range(1400 // num_steps - 1):
        lived = lived.followed_by(few.run(), 1400)
    assert_same(lived, many.run(), 0.0)
    assert (lived.ended.sum(axis=1) > 16).any()


def test_time_limits_cut_episodes():
    driver = make(CompiledDriver, RandomReacher(), num_steps=120)
    lived = driver.run()
    assert not lived.terminated.any()
    np.testing.assert_array_equal(np.flatnonzero(lived.ended[0]), [49, 99])
    np.testing.assert_array_equal(driver.env.simulator.steps, 20)


@dataclasses.dataclass(frozen=True)
class _Falling(RandomHopper):
    """Hoppers that every now and then start where MuJoCo can go on from no more."""

    def initial_state(self, task, rng):
        qpos, qvel = super().initial_state(task, rng)
        if rng.random() < 0.5:
            qvel[:] = 1e12
        return qpos, qvel


def test_a_step_that_cannot_be_integrated_ends_the_episode_where_it_stood():
    compiled, stepped = (
        make(k, _Falling(), num_steps=200) for k in (CompiledDriver, LifetimeDriver)
    )
    ours, theirs = compiled.run(), stepped.run()
    warnings = compiled.env.simulator.warnings
    assert warnings.sum() > 0
    np.testing.assert_array_equal(warnings, stepped.env.simulator.warnings)
    np.testing.assert_array_equal(ours.terminated, theirs.terminated)
    before, after = compiled.rollout.before, compiled.rollout.after
    failed = (before == after).all(axis=2)
    assert failed.sum() == warnings.sum() and ours.terminated[failed].all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_actions_that_are_no_numbers_are_survived_alike(bad):
    lives = []
    for kind in (CompiledDriver, LifetimeDriver):
        driver = make(kind, RandomReacher())
        driver.policy._std[1] = bad
        lives.append(driver.run())
    assert_same(lives[0], lives[1], 1e-5)
    assert not np.isfinite(lives[0].action[1]).any()
    assert np.isfinite(lives[0].observation).all()


class _Taller(RandomHopper):
    """Sees something else, and has not said so in its rules."""

    def observe(self, qpos, qvel, parameters, out=None):
        return super().observe(qpos, qvel, parameters, out) + 1.0


class _Stronger(RandomHopper):
    """Does something else than it was told."""

    def control(self, action):
        return 2.0 * action


class _StrongerInPlace(RandomHopper):
    """The same, and hides it."""

    def control(self, action):
        action *= 2.0
        return action


def test_machine_code_that_is_older_than_its_rule_is_told_of(monkeypatch):
    falls, is_unhealthy = (FAMILIES[name].rules.terminated for name in ("hopper", "hopper_v5"))
    for name in ("hopper", "hopper_v5"):
        make(drivers.make, FAMILIES[name])
    monkeypatch.setitem(machine_code._RULES, falls, machine_code._RULES[is_unhealthy])
    with pytest.raises(ValueError, match="`rules` of _Leaning .* must be compiled from what they"):
        make(drivers.make, _Leaning())


class _Leaning(RandomHopper):
    """Hoppers that start at an angle that only one of two rules allows."""

    def initial_state(self, task, rng):
        qpos, qvel = super().initial_state(task, rng)
        qpos[2] = 0.3
        return qpos, qvel


class _OfSomebodyElse(ActingPolicy):
    """Normalises in a way of its own, perhaps."""


def test_policies_of_other_kinds_act_step_by_step():
    driver = make(drivers.make, RandomReacher())
    specs = driver.policy.time_step_spec, driver.policy.action_spec
    policy = _OfSomebodyElse(*specs, [np.random.default_rng(w) for w in range(5)])
    assert type(drivers.make(driver.env, policy, 10)) is LifetimeDriver


def test_rules_that_do_not_say_it_all_are_left_alone():
    assert rules_in_force(RandomHopper()) is not None
    assert rules_in_force(_Falling()) is not None  # where episodes start is no rule
    assert rules_in_force(DiscreteActions(RandomHopper())) is not None
    assert rules_in_force(DiscreteActions(_Taller())) is None
    for family in (_Taller(), _Stronger(), _StrongerInPlace()):
        assert rules_in_force(family) is None
        assert type(make(drivers.make, family)) is LifetimeDriver


@by_name
def test_machine_code_and_python_apply_rules_alike_to_the_bit(family):
    rng = np.random.default_rng(0)
    tasks = [family.sample(seed) for seed in range(50)]
    states = [family.initial_state(task, rng) for task in tasks]
    qpos, qvel = (np.stack(part) for part in zip(*states, strict=True))
    spread = np.exp(rng.normal(0.0, 2.0, (50, 1)))
    qpos += 0.3 * spread * rng.normal(size=qpos.shape)
    qvel += 10.0 * spread * rng.normal(size=qvel.shape)
    qpos[::10, 1] = np.nan
    rules, parameters = rules_in_force(family), stack_parameters(tasks)
    known = rules.known(parameters, 50)
    seen, ended = family.observe(qpos, qvel, parameters), family.terminated(qpos, qvel, parameters)
    for row in range(50):
        out = np.empty(family.observation_size)
        rules.observe(qpos[row], qvel[row], known[row], out)
        np.testing.assert_array_equal(out, seen[row])
        assert bool(rules.terminated(qpos[row], qvel[row], known[row])) == ended[row]
