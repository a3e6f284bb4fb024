"""The learner of each meta-learned rival, apart from the settings, which need no TensorFlow."""

from __future__ import annotations

from epg_tf.rivals.es_maml.learner import ESMAMLLearner
from epg_tf.rivals.es_maml.settings import ESMAML
from epg_tf.rivals.maml.learner import MAMLLearner
from epg_tf.rivals.maml.settings import MAML
from epg_tf.rivals.meta_training.rival import MetaLearner, Rival
from epg_tf.rivals.rl2.learner import RL2Learner
from epg_tf.rivals.rl2.settings import RL2
from epg_tf.tasks.family import TaskFamily

_LEARNERS = {ESMAML: ESMAMLLearner, MAML: MAMLLearner, RL2: RL2Learner}


def make_learner(rival: Rival, family: TaskFamily, num_threads: int = 0) -> MetaLearner:
    """Makes the learner that meta-trains a rival on the tasks of a family.

    Args:
        rival: The settings of the rival.
        family: The distribution of tasks.
        num_threads: Threads of the simulator; 0 for the caller's alone.
    """
    return _LEARNERS[type(rival)](rival, family, num_threads)
