"""Result files of a sweep, which join the evaluations of all values."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

from epg_tf.evaluation.methods import METHODS
from epg_tf.evaluation.shift.plot_shift import plot_shift
from epg_tf.evaluation.shift.values import Shift
from epg_tf.files import write_csv, write_json
from epg_tf.text import aligned, interval

_COLUMNS = ("setting", "value", "method", "final_iqm", "final_low", "final_high")


def write(root: pathlib.Path, shift: Shift, summaries: Sequence[dict[str, Any]]) -> str:
    """Writes `shift.json`, `shift.csv` and `shift.png`.

    Args:
        root: The folder.
        shift: The sweep.
        summaries: The content of `summary.json` for each value.

    Returns:
        The final returns for each value, as aligned text.
    """
    methods = [method for method in METHODS if method in summaries[0]]
    rows = [
        (shift.setting, name, method, *_final(summary[method]))
        for name, summary in zip(shift.names, summaries, strict=True)
        for method in methods
    ]
    write_csv(root / "shift.csv", _COLUMNS, rows)
    write_json(
        root / "shift.json",
        {
            "setting": shift.setting,
            "trained_on": shift.trained_on,
            "labels": summaries[0]["provenance"]["labels"],
            "values": dict(zip(shift.names, summaries, strict=True)),
        },
    )
    labels = {method: summaries[0]["provenance"]["labels"][method] for method in methods}
    finals = {method: [_final(summary[method]) for summary in summaries] for method in methods}
    plot_shift(root / "shift.png", shift, finals, labels)
    head = (shift.setting, *labels.values())
    cells = [
        (name, *(interval(*finals[method][place]) for method in methods))
        for place, name in enumerate(shift.names)
    ]
    return "\n".join(aligned([head, *cells]))


def _final(result: dict[str, Any]) -> tuple[float | None, float | None, float | None]:
    return result["final_iqm"], result["final_low"], result["final_high"]
