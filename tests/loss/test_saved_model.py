import json

import numpy as np
import pytest
import tensorflow as tf

from epg_tf.evolved_loss.saved_model import export_loss
from epg_tf.inner_loop.batch import UpdateBatch
from epg_tf.inner_loop.learner import Learner
from epg_tf.inner_loop.networks import build_loss
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.inputs import LossInputs, gated_observation
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.reacher import RandomReacher

WITH_REWARD = ("observation", "action", "reward", "termination", "memory", "policy")
CASES = {
    "full": (InnerLoop(), RandomReacher()),
    "padded": (InnerLoop(buffer_size=192, steps_per_update=64), RandomReacher()),
    "reward": (InnerLoop(learned_loss=LearnedLoss(inputs=WITH_REWARD)), RandomReacher()),
    "gated": (
        InnerLoop(learned_loss=LearnedLoss(("observation", "gated_observation", "policy"))),
        RandomReacher(),
    ),
    "discrete": (InnerLoop(), DiscreteActions(RandomReacher())),
    "little": (
        InnerLoop(learned_loss=LearnedLoss(inputs=("policy", "observation"), context_size=0)),
        RandomReacher(),
    ),
}


class Exported:
    """A random loss, its network in this process and its SavedModel as plain TensorFlow has it."""

    def __init__(self, settings, family, path):
        self.settings, self.family = settings, family
        self.phi = build_loss(settings, family).draw(np.random.default_rng(3))
        export_loss(settings, family, self.phi, path)
        self.loaded = tf.saved_model.load(str(path))
        self.description = json.loads((path / "loss.json").read_text())
        self.shapes = {one["name"]: one["shape"] for one in self.description["inputs"]}
        self.policy = [name for name in self.shapes if name.startswith("policy_")]
        self.trained = [one["name"] for one in self.description["inputs"] if one["trained"]]

    def draw(self, *leading):
        """Random inputs, with a mask whose first steps are missing."""
        rng = np.random.default_rng(0)
        tensors = {
            name: tf.constant(rng.normal(size=[*leading, *shape]), tf.float32)
            for name, shape in self.shapes.items()
        }
        if "mask" in tensors:
            is_there = np.arange(self.shapes["mask"][0]) >= 64
            tensors["mask"] = tf.ones_like(tensors["mask"]) * is_there[:, np.newaxis]
        return tensors

    def live(self, num_agents):
        """The network that lifetimes use, with phi, and what makes its inputs of tensors."""
        network = self.settings.learned_loss.build(num_agents)

        def inputs(tensors):
            unseen = tf.zeros([num_agents, self.settings.buffer_size, 1])
            names = ("observation", "action", "termination", "memory", "reward", "mask")
            named = {n: tensors.get(n, None if n == "mask" else unseen) for n in names}
            if "gated_observation" in self.settings.learned_loss.inputs:
                both = tensors["observation"].numpy(), tensors["reward"].numpy()
                newest = self.settings.steps_per_update
                named["gated_observation"] = gated_observation(np, *both, newest)
            return LossInputs(policy=tuple(tensors[name] for name in self.policy), **named)

        network(inputs(self.draw(num_agents)), self.settings.steps_per_update)
        network.assign(np.tile(self.phi, (num_agents, 1)))
        return network, inputs


@pytest.fixture(scope="module", params=CASES)
def exported(request, tmp_path_factory):
    return Exported(*CASES[request.param], tmp_path_factory.mktemp(request.param) / "loss")


def values_and_gradients(function, tensors, trained):
    with tf.GradientTape() as tape:
        watched = [tensors[name] for name in trained]
        tape.watch(watched)
        value = function(tensors)
    return [value, *tape.gradient(value, watched)]


def assert_all_close(ours, theirs):
    """To 1e-6 of the largest."""
    for our, their in zip(ours, theirs, strict=True):
        our, their = np.asarray(our), np.asarray(their)
        np.testing.assert_allclose(our, their, rtol=0, atol=1e-6 * max(1.0, np.abs(their).max()))


@pytest.mark.parametrize("num_agents", [1, 5])
def test_loaded_and_live_loss_agree_in_value_and_gradient(exported, num_agents):
    tensors, num_newest = exported.draw(num_agents), exported.settings.steps_per_update
    network, inputs = exported.live(num_agents)
    for ours, theirs, shape in (
        (exported.loaded.loss, lambda t: network(inputs(t), num_newest), (num_agents,)),
        (
            exported.loaded.per_step_loss,
            lambda t: network.per_step(inputs(t)),
            (num_agents, exported.settings.buffer_size),
        ),
    ):
        results = values_and_gradients(lambda t, f=ours: f(**t), tensors, exported.trained)
        assert results[0].shape == shape
        assert all(np.abs(result).max() > 0 for result in results)
        assert_all_close(results, values_and_gradients(theirs, tensors, exported.trained))


def test_the_loss_is_the_mean_over_the_newest_steps(exported):
    tensors = exported.draw(2)
    newest = exported.loaded.per_step_loss(**tensors)[:, -exported.settings.steps_per_update :]
    assert_all_close([exported.loaded.loss(**tensors)], [tf.reduce_mean(newest, axis=1)])


def test_one_agent_needs_no_axis_of_agents(exported):
    tensors = exported.draw()
    several = {name: tensor[tf.newaxis] for name, tensor in tensors.items()}
    for name in ("loss", "per_step_loss"):
        function = getattr(exported.loaded, name)
        ours = values_and_gradients(lambda t, f=function: f(**t), tensors, exported.trained)
        theirs = values_and_gradients(lambda t, f=function: f(**t), several, exported.trained)
        assert_all_close(ours, [their[0] for their in theirs])


def test_agents_do_not_reach_one_another(exported):
    tensors = exported.draw(3)
    others = {n: tf.concat([t[:1], 2 * t[1:]], 0) for n, t in tensors.items() if n != "mask"}
    changed = exported.loaded.loss(**(tensors | others)) - exported.loaded.loss(**tensors)
    np.testing.assert_array_equal(changed[0], 0.0)
    assert np.all(np.abs(changed[1:]) > 0.0)


def test_its_signatures_are_for_serving(exported):
    tensors = exported.draw(2)
    for name in ("loss", "per_step_loss"):
        served = exported.loaded.signatures[name](**tensors).values()
        assert_all_close(served, [getattr(exported.loaded, name)(**tensors)])


def test_it_takes_what_the_loss_sees_and_nothing_else(exported):
    settings, family = exported.settings, exported.family
    inputs = [name for name in settings.learned_loss.inputs if name != "gated_observation"]
    inputs[inputs.index("policy") : inputs.index("policy") + 1] = (
        ["policy_mean", "policy_log_std"]
        if family.num_actions is None
        else ["policy_log_probabilities"]
    )
    masked = ["mask"] if settings.buffer_size > settings.steps_per_update else []
    gate = ["reward"] if "gated_observation" in settings.learned_loss.inputs else []
    assert list(exported.shapes) == inputs + masked + gate
    assert exported.description["sees_reward"] == ("reward" in exported.shapes)
    with pytest.raises(ValueError, match="Could not find matching concrete function"):
        exported.loaded.loss(**exported.draw(), surprise=tf.zeros([1]))


@pytest.mark.parametrize("exported", ["padded"], indirect=True)
def test_what_stands_where_the_mask_is_zero_does_not_matter(exported):
    tensors = exported.draw()
    others = {
        name: tf.where(tensors["mask"] > 0, tensor, 7.0)
        for name, tensor in tensors.items()
        if name != "mask" and tensor.shape[0] > 1
    }
    ours, theirs = (
        values_and_gradients(lambda t: exported.loaded.loss(**t), t, exported.trained)
        for t in (tensors, tensors | others)
    )
    assert_all_close(ours, theirs)


def test_an_older_export_is_replaced(tmp_path):
    settings, family = CASES["little"]
    for seed in (1, 2):
        phi = build_loss(settings, family).draw(np.random.default_rng(seed))
        export_loss(settings, family, phi, tmp_path / "loss", texts={"note.txt": str(seed)})
    flat = [v.numpy().ravel() for v in tf.saved_model.load(str(tmp_path / "loss")).phi]
    np.testing.assert_array_equal(np.concatenate(flat), phi.astype(np.float32))
    assert (tmp_path / "loss" / "note.txt").read_text() == "2"
    assert [path.name for path in tmp_path.iterdir()] == ["loss"]


# An update, made again with what the SavedModel and its description say.


def dense(units, activation=None):
    return tf.keras.layers.Dense(units, activation)


@pytest.mark.parametrize("mean_activation", [None, "tanh"])
def test_an_update_of_a_keras_policy_is_the_update_of_a_lifetime(mean_activation, tmp_path):
    settings = InnerLoop(
        buffer_size=64,
        steps_per_update=32,
        num_minibatches=2,
        num_passes=2,
        mean_activation=mean_activation,
    )
    exported = Exported(settings, RandomReacher(), tmp_path / "loss")
    learner = Learner(settings, exported.family, 1)
    learner.load(exported.phi[np.newaxis])
    agents = learner.agents.draw([np.random.default_rng(1)])
    theirs = [
        view[0].copy() for view in learner.agents.parts(agents.theta)[:9]
    ]  # no value function

    # The agent, in plain Keras; log_std comes last among the policy's weights.
    description = exported.description
    policy = description["policy"]
    hidden = [dense(n, policy["activation"]) for n in policy["hidden_sizes"]]
    mean = tf.keras.Sequential([*hidden, dense(2, policy["mean_activation"])])
    memory = dense(description["memory"]["size"], "tanh")
    ones = tf.ones([1, description["memory"]["constant_size"]])
    mean(tf.zeros([1, 10]))
    memory(ones)
    log_std = tf.Variable(theirs[6])
    variables = [*mean.weights, log_std, *memory.weights]
    for variable, value in zip(variables, theirs, strict=True):
        variable.assign(value.reshape(variable.shape))
    optimizer = tf.keras.optimizers.Adam(
        description["inner_update"]["learning_rate"],
        epsilon=description["inner_update"]["epsilon"],
    )

    rng = np.random.default_rng(2)
    for steps in (32, 64):  # a buffer that is half full, and one that is full
        there = (np.arange(64) >= 64 - steps)[:, np.newaxis].astype(np.float32)
        fixed = {
            "observation": rng.normal(size=(64, 10)).astype(np.float32) * there,
            "action": rng.normal(size=(64, 2)).astype(np.float32) * there,
            "termination": (rng.random((64, 1)) < 0.1).astype(np.float32) * there,
            "mask": there,
        }
        order = np.stack([rng.permutation(32), rng.permutation(32)]).astype(np.int32)
        batch = UpdateBatch(
            **{name: value[np.newaxis] for name, value in fixed.items()},
            reward=None,
            gated_observation=None,
            newest_action=rng.normal(size=(1, 32, 2)).astype(np.float32),
            newest_reward=None,
            newest_terminated=None,
            newest_next_observation=None,
            permutation=order[np.newaxis],
        )
        learner.descend(agents, batch, 0.0)
        for rows in order.reshape(4, 16):
            with tf.GradientTape() as tape:
                per_step = exported.loaded.per_step_loss(
                    **fixed,
                    policy_mean=mean(fixed["observation"]),
                    policy_log_std=log_std,
                    memory=memory(ones),
                )
                loss = tf.reduce_mean(tf.gather(per_step, rows + 32))
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
    for ours, theirs in zip(variables, learner.agents.parts(agents.theta)[:9], strict=True):
        np.testing.assert_allclose(ours.numpy().ravel(), theirs.ravel(), rtol=0, atol=2e-6)
