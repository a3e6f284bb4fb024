"""p(M): distributions of MuJoCo tasks, and ways to step them.

Importing this package registers the tasks with gymnasium but does not import TensorFlow. Only the
module `environment` does.
"""

import gymnasium

for _family in (
    "reacher:RandomReacher",
    "hopper:RandomHopper",
    "hopper:DirHopper",
    "bodies.robots:RandomWalker",
    "bodies.robots:RandomHalfCheetah",
    "bodies.robots:DirHalfCheetah",
    "bodies.robots:RandomSwimmer",
    "bodies.robots:GoalAnt",
    "bodies.random_body:RandomBody",
):
    gymnasium.register(
        f"epg/{_family.split(':')[1]}-v0",
        entry_point="epg_tf.tasks.gymnasium_env:TaskEnv",
        vector_entry_point="epg_tf.tasks.gymnasium_env:TaskVectorEnv",
        kwargs={"family": f"epg_tf.tasks.{_family}"},
    )
