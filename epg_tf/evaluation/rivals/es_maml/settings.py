"""The settings of ES-MAML."""

from __future__ import annotations

import dataclasses
import importlib

from epg_tf.evaluation.rivals.adaptation.settings import Adaptation
from epg_tf.evaluation.rivals.meta_training.rival import MetaLearner
from epg_tf.outer_loop.strategy import EvolutionStrategy
from epg_tf.tasks.family import TaskFamily


@dataclasses.dataclass(frozen=True)
class ESMAML(Adaptation):
    """First weights that evolution strategies search by the returns after the inner steps.

    What adapts an agent is MAML's policy-gradient step, where Song et al. (2020) have small
    searches of their own: what is compared with MAML is then the outer loop alone.

    Attributes:
        strategy: How the first weights are searched: two candidates per task of an epoch, a pair
            of them with "paired" sampling.

    Raises:
        ValueError: If a value is outside its range.
    """

    strategy: EvolutionStrategy = dataclasses.field(default_factory=EvolutionStrategy)

    @property
    def method(self) -> str:
        """Its name in `evaluation.methods.METHODS`."""
        return "es_maml"

    def make_learner(self, family: TaskFamily, num_threads: int = 0) -> MetaLearner:
        """What trains it on the tasks of a family."""
        # Here and not above, since gin knows these settings before anybody needs TensorFlow.
        learner = importlib.import_module("epg_tf.evaluation.rivals.es_maml.learner")
        return learner.ESMAMLLearner(self, family, num_threads)
