"""The methods of comparisons: their labels, looks and needs, in the order of every table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from epg_tf.text import count


class Method(NamedTuple):
    """A method's look in every table and picture, and its kind of learning.

    Attributes:
        label: The name in legends and tables.
        colour: The colour for matplotlib; safe for the colour-blind (Okabe and Ito).
        line: The line style.
        sees_reward: True if its agents always see the reward.
        is_rival: True if the module of this name in `rivals` trains its agents, with a function
            `rollouts`.
        is_meta_trained: True if `epg_tf.train_rival` trains it on the family's tasks first.
        needs_teacher: True if the loss's teacher or its clone acts, without learning; the module
            has a function `make_driver` instead.
        needs_box: True if it does not support a finite set of actions.
    """

    label: str
    colour: str
    line: str = "-"
    sees_reward: bool = False
    is_rival: bool = False
    is_meta_trained: bool = False
    needs_teacher: bool = False
    needs_box: bool = False


METHODS = {
    "evolved": Method("evolved loss, no reward", "#0072B2"),
    "phi_zero": Method("phi = 0, no reward", "#661100", "-."),
    "random_loss": Method("random loss, no reward", "#999999", ":"),
    "ppo": Method("PPO", "#D55E00", sees_reward=True),
    "tf_agents_ppo": Method("PPO (TF-Agents)", "#CC79A7", "--", sees_reward=True, is_rival=True),
    "tf_agents_sac": Method(
        "SAC (TF-Agents)", "#009E73", "-.", sees_reward=True, is_rival=True, needs_box=True
    ),
    "rl2": Method("RL²", "#56B4E9", sees_reward=True, is_meta_trained=True),
    "e_rl2": Method("E-RL²", "#E69F00", "--", sees_reward=True, is_meta_trained=True),
    "maml": Method("MAML", "#F0E442", "-.", sees_reward=True, is_meta_trained=True),
    "es_maml": Method("ES-MAML", "#999933", ":", sees_reward=True, is_meta_trained=True),
    "teacher": Method("the teacher", "#332288", "--", is_rival=True, needs_teacher=True),
    "cloned": Method("clone of the teacher", "#332288", ":", is_rival=True, needs_teacher=True),
    "no_action": Method("no action at all", "#000000", ":", is_rival=True, needs_box=True),
}
# The default of a comparison. It omits SAC, which takes longer than these together.
DEFAULT_METHODS = ("evolved", "random_loss", "ppo", "tf_agents_ppo")
BASELINE = "ppo"
WITH_REWARD = tuple(name for name, method in METHODS.items() if method.sees_reward)


def labels_of(methods: Iterable[str], reward_words: str, made: str = "evolved") -> dict[str, str]:
    """Returns the labels of methods.

    Args:
        methods: The names in `METHODS`.
        reward_words: The words for what the agents of a loss know of the reward.
        made: The origin of the loss: "evolved", "taught" or "taught, then evolved".
    """
    return {
        name: METHODS[name].label.replace("no reward", reward_words).replace("evolved", made)
        for name in methods
    }


def not_finite(
    counts: Mapping[str, int], labels: Mapping[str, str], agents: str, more: str = ""
) -> list[str]:
    """Returns a sentence on each method of which some agents diverged.

    Args:
        counts: The number of agents that diverged, by method.
        labels: The labels by method.
        agents: The words for all agents of a method.
        more: The words at the end.
    """
    return [
        f"{labels[method]}: {count(number)} of {agents} met a gradient or a return that was not "
        f"finite{more}."
        for method, number in counts.items()
        if number
    ]
