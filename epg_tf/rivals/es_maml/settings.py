"""The settings of ES-MAML."""

from __future__ import annotations

import dataclasses

from epg_tf.outer_loop.strategy import EvolutionStrategy
from epg_tf.rivals.adaptation.settings import Adaptation


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
