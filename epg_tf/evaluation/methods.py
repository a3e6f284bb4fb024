"""The methods that are compared: their names, in the order of every table, and how they look."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Method(NamedTuple):
    """How a method looks in every table and picture.

    Attributes:
        label: In legends and tables.
        colour: As matplotlib takes it; safe for the colour-blind (Okabe and Ito).
        line: Line style.
    """

    label: str
    colour: str
    line: str = "-"


METHODS = {
    "evolved": Method("evolved loss, no reward", "#0072B2"),
    "random_loss": Method("random loss, no reward", "#999999", ":"),
    "ppo": Method("PPO", "#D55E00"),
    "tf_agents_ppo": Method("PPO (TF-Agents)", "#CC79A7", "--"),
    "tf_agents_sac": Method("SAC (TF-Agents)", "#009E73", "-."),
    "no_action": Method("no action at all", "#000000", ":"),
}
# Those of a comparison unless it names others; SAC takes longer than they do together.
DEFAULT_METHODS = ("evolved", "random_loss", "ppo", "tf_agents_ppo")
BASELINE = "ppo"
WITH_REWARD = ("ppo", "tf_agents_ppo", "tf_agents_sac")


def labels_of(methods: Iterable[str], reward_words: str, made: str = "evolved") -> dict[str, str]:
    """What methods are called.

    Args:
        methods: Their names.
        reward_words: What the agents of a loss know of the reward.
        made: How the loss came to be: "evolved", "taught" or "taught, then evolved".
    """
    return {
        name: METHODS[name].label.replace("no reward", reward_words).replace("evolved", made)
        for name in methods
    }
