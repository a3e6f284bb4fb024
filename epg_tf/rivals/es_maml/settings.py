"""The settings of ES-MAML."""

from __future__ import annotations

import dataclasses

from epg_tf.outer_loop.strategy import EvolutionStrategy
from epg_tf.rivals.adaptation.settings import Adaptation


@dataclasses.dataclass(frozen=True)
class ESMAML(Adaptation):
    """Initial weights that evolution strategies find by the returns after the inner steps.

    The inner step is MAML's policy gradient, so the two methods differ in the outer loop alone.
    Song et al. (2020) adapt by small searches instead.

    Attributes:
        strategy: The evolution strategy. Each task of an epoch has two candidates, which are a
            pair with "paired" sampling.

    Raises:
        ValueError: If a value is outside its range.
    """

    strategy: EvolutionStrategy = dataclasses.field(default_factory=EvolutionStrategy)

    @property
    def method(self) -> str:
        """Its name in `evaluation.methods.METHODS`."""
        return "es_maml"
