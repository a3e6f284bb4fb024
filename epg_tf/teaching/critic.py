"""The critic that teaches phi: an actor and two critics, trained on all workers' steps.

The algorithm is TD3 (Fujimoto et al. 2018). Targets use the smaller of two slow critics and a
smoothed action, and the actor climbs the first critic. Critics also see the task's parameters
(Pinto et al. 2017); only training uses them. Their target is `g_t = -dQ(s_t, a_t)/da` for the mean,
with `a_t = mean + std z`, and `g_t (a_t - mean)` for log std. This estimates the gradient of the
expected Q from a single z (Heess et al. 2015).
"""

# Pyright's TensorFlow stubs know neither static shapes nor Keras's way of being called.
# pyright: reportCallIssue=false, reportOperatorIssue=false, reportArgumentType=false
# pyright: reportReturnType=false, reportOptionalMemberAccess=false

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from epg_tf.agent.adam import WorkerAdam, all_finite
from epg_tf.agent.networks import Multilayer
from epg_tf.agent.normaliser import RunningStatistics
from epg_tf.teaching.demonstrations import Demonstrations
from epg_tf.teaching.teacher import TeacherPolicy
from epg_tf.teaching.transitions import Transitions

# TD3's values, except a POLYAK twice as large.
TARGET_NOISE = 0.2  # of the action in targets; clipped to 0.5
LARGEST_NOISE = 0.5
CRITIC_STEPS_PER_ACTOR_STEP = 2
POLYAK = 0.01

_REWARD = 0.1  # the mean size of scaled rewards, so that Q is of the order of 1 to 10
_LARGEST_INPUT = 5.0  # standard deviations
_LARGEST_TARGET = 10.0
_LEAST_DEVIATION = 1e-6
_ADAM_EPSILON = 1e-8
_CHUNK = 64  # demonstrations whose targets are made at a time

CriticState = Mapping[str, np.ndarray]  # a critic in a checkpoint; empty before its first epoch


class Critic:
    """An actor and two critics, with a slow copy of each.

    Attributes:
        actor: mu(s) or mu(s, task), the best action; its output goes through tanh.
        critics: Q_1 and Q_2 of observation, action and task.
    """

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        task_size: int,
        hidden_sizes: Sequence[int],
        learning_rate: float,
        actor_sees_task: bool,
    ):
        """Makes the networks; `train` sets their weights.

        Args:
            observation_size: S.
            action_size: A, of a box.
            task_size: T.
            hidden_sizes: Units of the hidden layers.
            learning_rate: The step size of the Adams.
            actor_sees_task: True if the actor sees the task too.
        """
        self._actor_sees_task = actor_sees_task
        sizes = (
            (observation_size + task_size * actor_sees_task, action_size),
            *2 * ((observation_size + action_size + task_size, 1),),
        )
        self._learning, self._slow = (
            [_network(inputs, hidden_sizes, outputs) for inputs, outputs in sizes] for _ in range(2)
        )
        self.actor, *self.critics = self._learning
        of_critics = [v for critic in self.critics for v in critic.trainable_variables]
        self._adams = (
            WorkerAdam(self.actor.trainable_variables, learning_rate, _ADAM_EPSILON),
            WorkerAdam(of_critics, learning_rate, _ADAM_EPSILON),
        )
        self._statistics = {
            name: (tf.Variable(tf.zeros([size])), tf.Variable(tf.ones([size])))
            for name, size in (("observation", observation_size), ("task", task_size))
        }
        self._reward_scale = tf.Variable(1.0)

    def train(
        self,
        state: CriticState,
        steps: Transitions,
        num_gradient_steps: int,
        minibatch_size: int,
        rng: np.random.Generator,
    ) -> tuple[CriticState, float]:
        """Takes gradient steps.

        Args:
            state: The state that `train` returned before; empty for fresh networks. The first
                transitions determine the normalisation of inputs for good.
            steps: The transitions to draw minibatches from.
            num_gradient_steps: Gradient steps of the critics; the actor takes half as many.
            minibatch_size: Transitions per gradient step.
            rng: The generator of minibatches and noise.

        Returns:
            The new state, and the critics' mean squared error in scaled rewards.
        """
        flat = Transitions(*(part.reshape(-1, *part.shape[2:]) for part in steps))
        if state:
            self._restore(state)
        else:
            self._start(flat, rng)
        errors = []
        for step in range(1, num_gradient_steps + 1):
            rows = rng.integers(len(flat.discount), size=minibatch_size)
            minibatch = Transitions(*(part[rows] for part in flat))
            noise = rng.normal(scale=TARGET_NOISE, size=minibatch.action.shape)
            noise = noise.clip(-LARGEST_NOISE, LARGEST_NOISE).astype(np.float32)
            moves_actor = step % CRITIC_STEPS_PER_ACTOR_STEP == 0
            errors.append(self._step(minibatch, noise, moves_actor))
        return self._state(), float(np.mean([error.numpy() for error in errors], dtype=np.float64))

    def actors(
        self, state: CriticState, tasks: np.ndarray
    ) -> tuple[list[np.ndarray], RunningStatistics]:
        """Returns what `ActorPolicy.load` takes, for actors that are each on its task [W, T]."""
        self._restore(state)
        mean, deviation = (variable.numpy() for variable in self._statistics["observation"])
        kernel, bias, *others = self.actor.get_weights()
        kernel, of_task = np.split(kernel, [len(mean)], axis=1)
        shown = self._normal("task", tasks[:, np.newaxis].astype(np.float32)).numpy()
        bias = bias + np.matmul(shown[..., : of_task.shape[1]], of_task)
        log_std = np.full((1, 1, others[-1].shape[-1]), -np.inf)
        weights = [mean, deviation, kernel, bias, *others, log_std]
        return weights, RunningStatistics.start(len(tasks), len(mean))

    def with_targets(self, state: CriticState, demonstrations: Demonstrations) -> Demonstrations:
        """Adds the critic's targets: for the mean scaled to a root mean square of 1, at most 10."""
        self._restore(state)
        assert isinstance(demonstrations.steps, Transitions)
        steps, action = demonstrations.steps, demonstrations.steps.action
        chunks = [slice(start, start + _CHUNK) for start in range(0, demonstrations.number, _CHUNK)]
        parts = [
            self._worth_gradient(steps.observation[c], action[c], steps.task[c]) for c in chunks
        ]
        gradients = np.concatenate(parts)
        gradients /= np.sqrt(np.mean(np.square(gradients), dtype=np.float64)) + _ADAM_EPSILON
        mean = demonstrations.inputs.policy[0][:, -action.shape[1] :]
        targets = (-gradients, -gradients * (action - mean))
        bounded = [t.clip(-_LARGEST_TARGET, _LARGEST_TARGET).astype(np.float32) for t in targets]
        return demonstrations._replace(targets=tuple(bounded))

    @tf.function(jit_compile=True, autograph=False)
    def _step(self, steps: Transitions, noise: tf.Tensor, moves_actor: bool) -> tf.Tensor:
        """One gradient step of the critics, and of the actor where it is its turn."""
        observation, task = self._seen(steps.observation, steps.task)
        later = self._normal("observation", steps.later_observation)
        slow_actor, *slow_critics = self._slow
        next_action = tf.clip_by_value(self._act(slow_actor, later, task) + noise, -1.0, 1.0)
        worths = [_worth(critic, later, next_action, task) for critic in slow_critics]
        reward = steps.partial_return * self._reward_scale
        target = reward + steps.discount * tf.minimum(*worths)
        action = tf.clip_by_value(steps.action, -1.0, 1.0)
        with tf.GradientTape() as tape:
            worths = self._worths(observation, action, task)
            error = tf.add_n([tf.reduce_mean(tf.square(worth - target)) for worth in worths])
        _descend(tape, error, self._adams[1])
        if moves_actor:
            with tf.GradientTape() as tape:
                best = self._act(self.actor, observation, task)
                loss = -tf.reduce_mean(_worth(self.critics[0], observation, best, task))
            _descend(tape, loss, self._adams[0])
            for slow, quick in zip(self._slow, self._learning, strict=True):
                for behind, ahead in zip(slow.weights, quick.weights, strict=True):
                    behind.assign_add(POLYAK * (ahead - behind))
        return error / len(self.critics)

    @tf.function(jit_compile=True, autograph=False)
    def _worth_gradient(self, observation, action, task) -> tf.Tensor:
        """d(Q_1 + Q_2)/2 / d action at the actions taken, of [L, M] steps."""
        observation, task = self._seen(observation, task)
        action = tf.clip_by_value(action, -1.0, 1.0)
        with tf.GradientTape() as tape:
            tape.watch(action)
            worths = self._worths(observation, action, task)
            total = tf.reduce_sum(tf.add_n(worths)) / len(worths)
        return tape.gradient(total, action)

    def _worths(self, observation, action, task) -> list[tf.Tensor]:
        return [_worth(critic, observation, action, task) for critic in self.critics]

    def _act(self, actor: Multilayer, observation: tf.Tensor, task: tf.Tensor) -> tf.Tensor:
        seen = tf.concat([observation, task], -1) if self._actor_sees_task else observation
        return tf.tanh(_of_rows(actor, seen))

    def _seen(self, observation: tf.Tensor, task: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._normal("observation", observation), self._normal("task", task)

    def _normal(self, name: str, values: tf.Tensor) -> tf.Tensor:
        mean, deviation = self._statistics[name]
        return tf.clip_by_value((values - mean) / deviation, -_LARGEST_INPUT, _LARGEST_INPUT)

    def _start(self, steps: Transitions, rng: np.random.Generator) -> None:
        """Draws the networks, and says how what they see is normalised."""
        for quick, slow in zip(self._learning, self._slow, strict=True):
            quick.set_weights([weight[np.newaxis] for weight in quick.draw(rng)])
            slow.set_weights(quick.get_weights())
        for adam in self._adams:
            adam.reset()
        for name, (mean, deviation) in self._statistics.items():
            values = getattr(steps, name).astype(np.float64)
            mean.assign(values.mean(axis=0))
            deviation.assign(np.maximum(values.std(axis=0), _LEAST_DEVIATION))
        size = np.sqrt(np.mean(np.square(steps.partial_return, dtype=np.float64)))
        self._reward_scale.assign(_REWARD / max(size, _LEAST_DEVIATION))

    @property
    def _variables(self) -> list[tf.Variable]:
        """All that a state holds but for the Adams."""
        networks = [v for network in (*self._learning, *self._slow) for v in network.weights]
        statistics = [v for pair in self._statistics.values() for v in pair]
        return [*networks, *statistics, self._reward_scale]

    def _state(self) -> CriticState:
        values = [variable.numpy() for variable in self._variables]
        moments = [adam.moments() for adam in self._adams]
        both = [array for _, m, v in moments for array in (*m, *v)]
        return {
            "variables": np.concatenate(values, axis=None),
            "moments": np.concatenate(both, axis=None),
            "counts": np.array([count for count, *_ in moments]),
        }

    def _restore(self, state: CriticState) -> None:
        for variable, value in zip(
            self._variables, _split(state["variables"], self._variables), strict=True
        ):
            variable.assign(value)
        like = [variable for adam in self._adams for variable in 2 * adam.variables]
        moments = iter(_split(state["moments"], like))
        for adam, count in zip(self._adams, state["counts"], strict=True):
            m, v = ([next(moments) for _ in adam.variables] for _ in range(2))
            adam.restore(float(count), m, v)


class ActorPolicy(TeacherPolicy):
    """Acts as a critic's actor; its first pair of weights normalises observations."""

    def _forward(self, hidden: np.ndarray) -> np.ndarray:
        (mean, deviation), *layers, (kernel, bias) = self._layers
        hidden = ((hidden - mean) / deviation).clip(-_LARGEST_INPUT, _LARGEST_INPUT)
        for inner_kernel, inner_bias in layers:
            hidden = np.maximum(np.matmul(hidden, inner_kernel) + inner_bias, 0.0)
        return np.tanh(np.matmul(hidden, kernel) + bias)


def _network(num_inputs: int, hidden_sizes: Sequence[int], num_outputs: int) -> Multilayer:
    network = Multilayer(1, hidden_sizes, num_outputs, activation=tf.nn.relu)
    network(tf.zeros([1, 1, num_inputs]))
    return network


def _worth(
    critic: Multilayer, observation: tf.Tensor, action: tf.Tensor, task: tf.Tensor
) -> tf.Tensor:
    return _of_rows(critic, tf.concat([observation, action, task], -1))[..., 0]


def _of_rows(network: Multilayer, rows: tf.Tensor) -> tf.Tensor:
    """A lone worker's network on [..., in] -> [..., out]."""
    size = network.stack[-1].units
    return tf.reshape(network(tf.reshape(rows, [1, -1, rows.shape[-1]])), [*rows.shape[:-1], size])


def _descend(tape: tf.GradientTape, loss: tf.Tensor, adam: WorkerAdam) -> None:
    """One step of an Adam; none where its gradient is not finite."""
    steps = adam.steps(gradients := tape.gradient(loss, adam.variables))
    adam.descend(gradients, steps, all_finite(steps))


def _split(flat: np.ndarray, like: Sequence[tf.Variable]) -> list[np.ndarray]:
    parts = np.split(flat, np.cumsum([v.shape.num_elements() for v in like])[:-1])
    return [part.reshape(v.shape.as_list()) for part, v in zip(parts, like, strict=True)]
