"""An evolved loss in TF-Agents: `EvolvedLossAgent` with its drivers, replay buffers and metrics.

    python examples/evolved_loss_in_tf_agents.py [LOSS]

LOSS is the name of a shipped loss for Reachers, or such a folder that epg_tf.export wrote.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

import epg_tf  # before TF-Agents, to silence the old gym  # isort: skip
import gymnasium
import tensorflow as tf
from tf_agents.drivers import dynamic_step_driver
from tf_agents.environments import tf_py_environment
from tf_agents.metrics import tf_metrics
from tf_agents.replay_buffers import tf_uniform_replay_buffer
from tf_agents.utils import common

tf.get_logger().setLevel("ERROR")  # `gather_all` is deprecated
tf.random.set_seed(0)
reacher = epg_tf.GymnasiumEnvironment(gymnasium.make("Reacher-v5"), seed=0)
env = tf_py_environment.TFPyEnvironment(reacher)
agent = epg_tf.EvolvedLossAgent(env.time_step_spec(), env.action_spec(), (*sys.argv, "reacher")[1])
agent.initialize()

replay = tf_uniform_replay_buffer.TFUniformReplayBuffer(agent.collect_data_spec, 1, max_length=1000)
average_return = tf_metrics.AverageReturnMetric(buffer_size=10)
driver = dynamic_step_driver.DynamicStepDriver(
    env,
    agent.collect_policy,
    observers=[replay.add_batch, average_return],
    num_steps=agent.steps_per_update,
)
collect = common.function(driver.run)
time_step = env.reset()
for update in range(1, min(agent.loss.description["inner_update"]["num_updates"], 32) + 1):
    time_step, _ = collect(time_step)
    agent.train(replay.gather_all())
    replay.clear()
    if update % 8 == 0:
        print(f"update {update}: return {average_return.result().numpy():.1f}", flush=True)
