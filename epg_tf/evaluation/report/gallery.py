"""Several losses on one page: what each is for, what it teaches, and how to use it."""

from __future__ import annotations

import pathlib
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from epg_tf.evaluation.report.media import Media, Medium
from epg_tf.evolved_loss.card import families
from epg_tf.evolved_loss.folder import DESCRIPTION_FILE, read_description
from epg_tf.evolved_loss.scores import score_head, score_row
from epg_tf.files import METRICS_FILE
from epg_tf.text import Table, count

_FILMS = ("mp4", "gif")


class Exhibit(NamedTuple):
    """A loss of the gallery.

    Attributes:
        name: Of its folder, or of its run's.
        family: What its tasks are called.
        summary: What they are, in a sentence; empty where it was not written down.
        facts: How it came to be.
        scores: What agents got on held-out tasks, beside others; None where that is not known.
        curves: Their learning curves; without a URI where nobody has drawn them.
        film: Agents before, while and after they learn, likewise.
        card: The path of its card.
        load: Python that loads it.
        evaluate: The command that compares it with PPO.
    """

    name: str
    family: str
    summary: str
    facts: Table
    scores: Table | None
    curves: Medium
    film: Medium
    card: str
    load: str
    evaluate: str


def is_gallery(root: pathlib.Path) -> bool:
    """Whether the losses themselves lie in a folder, as in `losses`, which is not a run's."""
    return not (root / METRICS_FILE).exists() and any(root.glob(f"*/{DESCRIPTION_FILE}"))


def read_gallery(root: pathlib.Path) -> list[Exhibit]:
    """The losses in a folder, or those that runs in it have exported to their folder `loss`.

    Raises:
        ValueError: If a `loss.json` is damaged.
    """
    media = Media(root)  # one for all: that is how much fits into a page
    return [_exhibit(root, media, *found) for found in _find(root)]


def _find(root: pathlib.Path) -> Iterator[tuple[str, pathlib.Path, str, str]]:
    """Of each loss its name, its folder, and where curves and (but for the suffix) film are."""
    if is_gallery(root):
        for file in sorted(root.glob(f"*/{DESCRIPTION_FILE}")):
            name = file.parent.name
            yield name, file.parent, f"{name}/curves.png", f"{name}/film"
        return
    for file in sorted(root.glob(f"*/loss/{DESCRIPTION_FILE}")):
        name = file.parent.parent.name
        yield name, file.parent, f"{name}/evaluation/curves.png", f"{name}/videos/learning"


def _exhibit(
    root: pathlib.Path, media: Media, name: str, folder: pathlib.Path, curves: str, film: str
) -> Exhibit:
    about = read_description(folder)
    family = about["family"]
    described = [one["about"]["summary"] for one in families(family) if "about" in one]
    load = f"import epg_tf\nloss = epg_tf.load_loss({str(folder)!r})"
    results = f"runs/{name}" if is_gallery(root) else str(root / name / "evaluation")
    words = ["python", "-m", "epg_tf.evaluate", "--loss", str(folder), "--root_dir", results]
    return Exhibit(
        name,
        family["name"],
        described[0] if described else "",
        _facts(name, about),
        _scores(name, about.get("scores")),
        media.inline(curves),
        media.inline(*(f"{film}.{suffix}" for suffix in _FILMS)),
        str(folder / "README.md"),
        load,
        shlex.join([*words, *(["--give_reward"] if about["sees_reward"] else [])]),
    )


def _facts(name: str, about: Mapping[str, Any]) -> Table:
    made = about.get("provenance", {})
    steps = made.get("env_steps")
    rows = [
        (
            "the reward",
            "seen by the loss" if about["sees_reward"] else "shown neither to it nor to agents",
        ),
        ("made", f"{made.get('made', 'evolved')}"),
        ("environment steps", "not known" if steps is None else count(steps)),
        ("parameters", count(about["num_parameters"])),
        ("passes over the same steps", count(about["inner_update"].get("num_passes", 1))),
    ]
    return Table(f"How {name} came to be, and how agents descend it", (), rows)


def _scores(name: str, scores: Mapping[str, Any] | None) -> Table | None:
    if not scores:
        return None
    methods, labels = scores["methods"], scores["labels"]
    head = ("method", *score_head(methods, scores.get("early_update")))
    rows = [score_row(labels[method], result) for method, result in methods.items()]
    updates, steps = scores["num_updates"], scores["steps_per_update"]
    caption = (
        f"Returns of {name} on held-out tasks, final ones after {count(updates)} updates of "
        f"{count(steps)} steps: interquartile means with 95 % intervals."
    )
    return Table(caption, head, rows)
