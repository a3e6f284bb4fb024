"""Every meta-learned opponent: its agents do not touch one another, and its runs go on."""

import numpy as np
import pytest
from lives import lived

from epg_tf.rivals.es_maml.settings import ESMAML
from epg_tf.rivals.learners import make_learner
from epg_tf.rivals.maml.settings import MAML
from epg_tf.rivals.meta_training.checkpoint import RivalCheckpoint, RivalCheckpointFolder
from epg_tf.rivals.meta_training.settings import RivalTraining
from epg_tf.rivals.meta_training.training import train_rival
from epg_tf.rivals.rl2.settings import RL2
from epg_tf.seeds import held_out_seed
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.reacher import RandomReacher

RIVALS = [
    MAML(hidden_sizes=(5,), batch_steps=20, num_passes=1),
    ESMAML(hidden_sizes=(5,), batch_steps=20),
    RL2(trial_steps=20, chunk_steps=10, hidden_size=8, embedding_size=16, initial_log_std=-1.0),
]
SEEDS = [held_out_seed(0, task) for task in range(17)]
of_every_rival = pytest.mark.parametrize("settings", RIVALS, ids=lambda rival: rival.method)


@of_every_rival
@pytest.mark.parametrize("family", [RandomReacher(), DiscreteActions(RandomReacher(), 3)])
def test_an_agent_does_not_depend_on_its_neighbours(settings, family):
    learner = make_learner(settings, family)
    state = learner.first_state(3)
    together = ((0, 1, 2), (1,), (2, 1), tuple(range(17)), (1,))  # the last one once more
    returns = [
        lived(learner, state, family, [SEEDS[w] for w in workers], 4, 40).completed[
            workers.index(1)
        ]
        for workers in together
    ]
    assert returns == returns[:1] * len(together)


@of_every_rival
def test_an_interrupted_run_goes_on_to_the_bit(settings, tmp_path):
    training = RivalTraining(
        RandomReacher(), settings, 4, num_epochs=4, validate_every=2, num_validation_tasks=2,
        validation_updates=1, steps_per_update=60,
    )  # fmt: skip
    learner = make_learner(settings, training.family)
    whole = list(train_rival(training, learner, RivalCheckpoint.first(learner.first_state(0), {})))
    folder = RivalCheckpointFolder(tmp_path)
    folder.save(whole[1].checkpoint)
    learner = make_learner(settings, training.family)  # in a process of its own, as it were
    rest = list(train_rival(training, learner, folder.latest()))
    assert len(rest) == 2
    one, other = whole[-1].checkpoint, rest[-1].checkpoint
    for name in ("state", "best_state"):
        states = getattr(one, name), getattr(other, name)
        assert states[0].keys() == states[1].keys()
        assert all(np.array_equal(value, states[1][key]) for key, value in states[0].items())
    for name in ("env_steps", "best_return", "best_epoch"):
        assert getattr(one, name) == getattr(other, name)
