"""Results of a sweep, which join the evaluations of all values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from epg_tf.evaluation.methods import METHODS
from epg_tf.evaluation.results_folder import Results
from epg_tf.evaluation.shift.plot_shift import plot_shift
from epg_tf.evaluation.shift.values import Shift
from epg_tf.text import aligned, interval

_FINAL = ("final_iqm", "final_low", "final_high")


def results_of(shift: Shift, summaries: Sequence[dict[str, Any]]) -> tuple[Results, str]:
    """Joins the evaluations of a sweep.

    Args:
        shift: The sweep.
        summaries: The content of `summary.json` for each value.

    Returns:
        The results, and the final returns for each value as aligned text.
    """
    labels = summaries[0]["provenance"]["labels"]
    finals = {
        method: [tuple(summary[method][name] for name in _FINAL) for summary in summaries]
        for method in METHODS
        if method in summaries[0]
    }
    by_value = list(enumerate(shift.names))
    results = Results(
        {
            "setting": shift.setting,
            "trained_on": shift.trained_on,
            "labels": labels,
            "values": dict(zip(shift.names, summaries, strict=True)),
        },
        tables={
            "shift": (
                ("setting", "value", "method", *_FINAL),
                [
                    (shift.setting, name, method, *of[place])
                    for place, name in by_value
                    for method, of in finals.items()
                ],
            )
        },
        pictures={"shift": plot_shift(shift, finals, labels)},
        summary_file="shift.json",
    )
    head = (shift.setting, *(labels[method] for method in finals))
    cells = [(name, *(interval(*of[place]) for of in finals.values())) for place, name in by_value]
    return results, "\n".join(aligned([head, *cells]))
