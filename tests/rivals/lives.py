"""Meta-training in a few lines, and what agents come to afterwards."""

from epg_tf.rivals.learners import make_learner
from epg_tf.rivals.learning import returns_of
from epg_tf.rivals.meta_training.checkpoint import RivalCheckpoint
from epg_tf.rivals.meta_training.settings import RivalTraining
from epg_tf.rivals.meta_training.training import train_rival


def trained(settings, family, num_epochs, num_tasks):
    """A learner, the state after so many epochs, and what each epoch came to."""
    training = RivalTraining(family, settings, num_tasks=num_tasks, num_epochs=num_epochs)
    learner = make_learner(settings, family)
    checkpoint = RivalCheckpoint.first(learner.first_state(0), {})
    epochs = list(train_rival(training, learner, checkpoint))
    return learner, epochs[-1].checkpoint.state, [epoch.metrics for epoch in epochs]


def lived(learner, state, family, seeds, num_updates, num_steps):
    """The returns of agents that learn with a state."""
    rollouts = learner.rollouts(state, family, seeds, num_steps)
    return returns_of(rollouts, len(seeds), num_updates, num_steps)
