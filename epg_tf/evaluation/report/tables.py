"""Tables of a run's records: its settings, its epochs and its results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from epg_tf.evolved_loss.card import WORDS_FOR
from epg_tf.run.records import RunRecords
from epg_tf.text import Table, count, number

# caption -> label -> path in the config
_TRAINED = {
    "The learned loss": {
        "what each step shows it": "inner_loop.learned_loss.inputs",
        "temporal convolutions (width, stride, channels)": "inner_loop.learned_loss.convolutions",
        "units of the temporal context": "inner_loop.learned_loss.context_size",
        "hidden units, per step": "inner_loop.learned_loss.hidden_size",
        "activation": "inner_loop.learned_loss.activation",
    },
    "A lifetime": {
        "updates, K": "inner_loop.num_updates",
        "K over epochs, where it grows": "num_updates",
        "environment steps before each, M": "inner_loop.steps_per_update",
        "newest steps that the loss sees, N": "inner_loop.buffer_size",
        "gradient steps per pass over the M steps": "inner_loop.num_minibatches",
        "passes per update": "inner_loop.num_passes",
        "step size of the agents' Adam": "inner_loop.learning_rate",
        "hidden layers of the policy": "inner_loop.hidden_sizes",
        "what the policy's mean goes through": "inner_loop.mean_activation",
        "bounds of its log standard deviation": "inner_loop.log_std_bounds",
        "units of the memory": "inner_loop.memory_size",
        "what a lifetime is worth": "inner_loop.objective",
    },
    "Teaching, before the search": {
        "epochs": "teacher.num_epochs",
        "passes over the demonstrations in each": "teacher.num_passes",
        "demonstrations per step of the fit": "teacher.minibatch_size",
        "step size of the fit": "teacher.learning_rate",
        "epochs whose demonstrations are kept": "teacher.num_kept_epochs",
        "least log standard deviation of the agents": "teacher.log_std_floor",
        "a critic's discount, γ": "teacher.discount",
        "steps whose rewards it adds up": "teacher.num_steps",
        "its gradient steps in each": "teacher.num_gradient_steps",
        "whether its actor sees the task": "teacher.actor_sees_task",
        "an expert's explorers": "teacher.num_explorers",
        "how often it learns from them in each": "teacher.num_iterations",
        "their steps before it does": "teacher.steps_per_iteration",
        "step size of its Adam": "teacher.expert_learning_rate",
        "what its policy sees of the task": "teacher.sees",
    },
    "The search": {
        "lifetimes per epoch, n": "num_workers",
        "guidance over epochs, α": "guidance",
        "hand-made surrogate that it is the weight of": "inner_loop.guide",
        "standard deviation of the perturbations, σ": "strategy.noise_std",
        "step size": "strategy.learning_rate",
        "optimiser": "strategy.optimizer",
        "perturbations": "strategy.sampling",
        "what is made of the returns": "strategy.shaping",
        "weight decay": "strategy.weight_decay",
        "seed": "seed",
    },
}

_EPOCH_COLUMNS = {
    "epoch": "epoch",
    "env_steps": "environment steps so far",
    "return_mean": "mean",
    "return_median": "median",
    "return_std": "standard deviation",
    "return_min": "worst",
    "return_max": "best",
    "guidance": "guidance α",
    "validation_return": "validation tasks",
    "env_steps_per_second": "environment steps / s",
}
_FEW = 3  # settings that fit into a cell
_WHOLE = ("epoch", "env_steps", "env_steps_per_second")


def about_tasks(records: RunRecords, about: Sequence[Mapping[str, Any]]) -> Iterator[str | Table]:
    """Yields the description of the task family as paragraphs and tables, then its settings.

    Args:
        records: The records of the run.
        about: The descriptions of the family and of one that it wraps (`tasks.family`).
    """
    for one in about:
        yield one["summary"]
        if one["drawn"]:
            rows = [(of["name"], of["unit"], of["range"]) for of in one["drawn"]]
            yield Table("What is drawn for a task", ("quantity", "unit", "range"), rows)
        yield from (f"{words}: {one[part]}" for part, words in WORDS_FOR.items() if one[part])
        yield from one["remarks"]
    rows = []
    family = records.setting("family")
    while family:  # from the wrapper to the innermost family
        settings = records.settings_of(family)
        rows += [(name, _described(records, value)) for name, value in settings.items()]
        family = settings.get(f"{family}.family")
    if rows:
        yield Table("The values in force", (), rows)


def tables_of_config(records: RunRecords) -> Iterator[Table]:
    """Yields tables of the run's settings, in words."""
    for caption, paths in _TRAINED.items():
        found = {label: records.setting(path) for label, path in paths.items()}
        rows = [
            (label, _described(records, value))
            for label, value in found.items()
            if value is not None
        ]
        if caption == "The learned loss" and records.checkpoint is not None:
            rows.insert(0, ("parameters", count(len(records.checkpoint.state.phi))))
        if rows:
            yield Table(caption, (), rows)


def table_of_epochs(records: RunRecords) -> Table:
    """Returns a table of the first, the best and the last epoch."""
    places = {"first": 0, "best": records.best, "last": -1}
    columns = {
        column: label
        for column, label in _EPOCH_COLUMNS.items()
        if column != "validation_return" or np.isfinite(records.metrics.get(column, np.nan)).any()
    }
    rows = [
        (name, *(_cell(column, records.metrics[column][place]) for column in columns))
        for name, place in places.items()
        if place is not None
    ]
    diverged = count(records.metrics["diverged_workers"].sum())
    caption = (
        "Returns of an epoch's lifetimes; the best epoch has the highest mean at the least "
        "guidance, or the highest return on validation tasks where the run has looked at them. "
        f"Lifetimes, of all epochs, that met a gradient or a return that was not finite: "
        f"{diverged}."
    )
    return Table(caption, ("", *columns.values()), rows)


def table_of_held_out(records: RunRecords) -> Table | None:
    """Returns a table of the comparison at the end of the run; None without one."""
    if records.held_out is None:
        return None
    rows = []
    for name, label in (
        ("first", "the loss of the start"),
        ("last", f"the loss of epoch {records.held_out['epoch']}"),
    ):
        returns = np.asarray(records.held_out[name], dtype=float)
        low, middle, high = np.quantile(returns, (0.25, 0.5, 0.75))
        rows.append(
            (label, number(middle), f"{number(low)} to {number(high)}", count(len(returns)))
        )
    head = ("agents with", "median", "middle half", "agents")
    return Table("Final returns on held-out tasks, without reward, as the run ended.", head, rows)


def table_of_provenance(records: RunRecords) -> Table:
    """Returns a table of the losses' checksums and of the resources spent on them."""
    rows = [
        ("epochs", count(records.num_epochs)),
        ("environment steps", count(records.metrics["env_steps"][-1])),
        ("hours of evolution", number(records.hours)),
        *((f"crc32 of {loss}", str(crc32)) for crc32, loss in records.losses().items()),
    ]
    return Table("What was spent, and on what", (), rows)


def _cell(column: str, value: float) -> str:
    return count(value) if column in _WHOLE and np.isfinite(value) else number(value)


def _described(records: RunRecords, value: Any) -> str:
    """Describes a value: the items of a list, or the name of a record with its few settings."""
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return ", ".join(value)
    settings = records.settings_of(value) if isinstance(value, str) else {}
    if 0 < len(settings) <= _FEW:
        given = ", ".join(f"{name.rpartition('.')[2]} = {of}" for name, of in settings.items())
        return f"{value}: {given}"
    if isinstance(value, list):  # a tuple, after JSON
        return str(value).replace("[", "(").replace("]", ")")
    return str(value)
