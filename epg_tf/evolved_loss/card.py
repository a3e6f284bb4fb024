"""The model card of an evolved loss in Markdown: origin, use, scores and limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jinja2

from epg_tf.evolved_loss.scores import score_head, score_row

# Headings of the parts of a `tasks.family.Description`.
WORDS_FOR = {"observation": "Observation", "reward": "Reward", "end": "End of an episode"}


def model_card(description: Mapping[str, Any], config_text: str) -> str:
    """Returns the card of an exported loss.

    Args:
        description: The content of its `loss.json`, with `provenance` and `scores` (or None).
        config_text: The config of its run, as gin.

    Returns:
        Markdown.
    """
    scores = description["scores"]
    methods = scores["methods"] if scores else {}
    some_method: Mapping[str, Any] = next(iter(methods.values()), {})
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("epg_tf.evolved_loss"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("card.md").render(
        **description,
        made=description["provenance"].get("made", "evolved"),
        taught_where=_taught_where(description["provenance"].get("taught_epochs")),
        tasks=_name(description["family"]),
        words_for=WORDS_FOR,
        families=list(families(description["family"])),
        family_settings=list(_settings(description["family"])),
        numbers=list(_numbers(description)),
        trained=", ".join(f'inputs["{i["name"]}"]' for i in description["inputs"] if i["trained"]),
        versions=", ".join(f"{n} {v}" for n, v in description["provenance"]["versions"].items()),
        num_tasks=some_method.get("num_tasks"),
        num_seeds=some_method.get("num_seeds"),
        score_head=score_head(methods, _early_update(description)),
        score_rows=[score_row(scores["labels"][name], of) for name, of in methods.items()],
        config_text=config_text,
        thousands=lambda number: f"{number:,}",
        known=lambda number: "not known" if number is None else f"{number:,}",
    )


def _early_update(description: Mapping[str, Any]) -> int:
    """Returns the update of the early scores; K for evaluations that do not record it."""
    known = (description["scores"] or {}).get("early_update")
    return known or description["inner_update"]["num_updates"]


def _taught_where(num_epochs: int | None) -> str:
    return f"in {num_epochs} epochs" if num_epochs else "in the run that its own started from"


def _name(family: Mapping[str, Any]) -> str:
    """Returns the name of a family; that of a wrapped family follows in brackets."""
    wrapped = [_name(value) for value in family["settings"].values() if _is_family(value)]
    return f"{family['name']}({', '.join(wrapped)})" if wrapped else family["name"]


def _is_family(value: Any) -> bool:
    return isinstance(value, Mapping) and "settings" in value


def families(family: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yields a family from `loss.json`, and then the family that it wraps."""
    yield family
    for value in family["settings"].values():
        if _is_family(value):
            yield from families(value)


def _settings(family: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields names and values of a family's settings, including those of a wrapped family."""
    for name, value in family["settings"].items():
        if _is_family(value):
            yield f"{family['name']}.{name}", value["name"]
            yield from _settings(value)
        else:
            yield f"{family['name']}.{name}", value


def _numbers(description: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields the quantities that the rules mention, as paths in the description and values."""
    for name in ("buffer_size", "steps_per_update"):
        yield name, description[name]
    for part in ("policy", "memory", "normalisation", "inner_update"):
        for name, value in description[part].items():
            if not name.endswith("rule"):
                shown = ", ".join(map(str, value)) if isinstance(value, list) else value
                yield f"{part}.{name}", shown
