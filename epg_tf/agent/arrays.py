"""Names for the arrays of records and lists, as files and checkpoints hold them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

Arrays = Mapping[str, np.ndarray]

T = TypeVar("T")


def named(**parts: Any) -> dict[str, np.ndarray]:
    """Returns the arrays of records and lists by name.

    A record's have its field's name, a list's a number: `named(adam=[m, v], search=state)` has
    `adam_000`, `adam_001`, `search_epoch`, `search_phi` and so on.
    """
    found: dict[str, np.ndarray] = {}
    for part, value in parts.items():
        if isinstance(value, Sequence):
            found |= {f"{part}_{number:03d}": array for number, array in enumerate(value)}
        else:
            fields = (field.name for field in dataclasses.fields(value))
            found |= {f"{part}_{name}": np.asarray(getattr(value, name)) for name in fields}
    return found


def below(arrays: Arrays, prefix: str) -> dict[str, np.ndarray]:
    """Returns the arrays whose names begin with a prefix, by the rest of their names."""
    found = (name for name in arrays if name.startswith(prefix))
    return {name.removeprefix(prefix): arrays[name] for name in found}


def in_order(arrays: Arrays, part: str) -> list[np.ndarray]:
    """Returns the list that `named` has named."""
    found = below(arrays, f"{part}_")
    return [found[number] for number in sorted(found)]


def record(kind: type[T], arrays: Arrays, prefix: str = "") -> T:
    """Returns a record of arrays and numbers, whose fields' names have a prefix in `arrays`."""
    fields = dataclasses.fields(kind)  # pyright: ignore[reportArgumentType]
    values = {field.name: np.asarray(arrays[prefix + field.name]) for field in fields}
    return kind(**{name: value if value.ndim else value.item() for name, value in values.items()})
