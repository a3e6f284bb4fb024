"""A gallery of losses on one page: the tasks, scores and use of each."""

from __future__ import annotations

import pathlib
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from epg_tf.evaluation.report.media import Media, Medium
from epg_tf.evolved_loss.card import families
from epg_tf.evolved_loss.folder import DESCRIPTION_FILE, read_description
from epg_tf.evolved_loss.scores import score_table
from epg_tf.files import METRICS_FILE
from epg_tf.text import Table, count

_FILMS = ("mp4", "gif")


class GalleryEntry(NamedTuple):
    """A loss of the gallery.

    Attributes:
        name: The name of its folder, or of its run's.
        family: The name of its family of tasks.
        summary: The tasks in a sentence; empty if not recorded.
        facts: The facts about its training.
        scores: The returns on held-out tasks, beside other methods'; None if unknown.
        curves: The learning curves; without a URI if there is no picture.
        film: Agents before, during and after learning; without a URI if there is no film.
        card: The path of its card.
        load: Python code that loads it.
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
    """Returns True if a folder directly contains losses, like `losses`, and is not a run."""
    return not (root / METRICS_FILE).exists() and any(root.glob(f"*/{DESCRIPTION_FILE}"))


def read_gallery(root: pathlib.Path) -> list[GalleryEntry]:
    """Reads the losses in a folder, or those that its runs have exported to their folder `loss`.

    Raises:
        ValueError: If a `loss.json` is damaged.
    """
    media = Media(root)  # one for all: they share the page's limit
    return [_entry(root, media, *found) for found in _find(root)]


def _find(root: pathlib.Path) -> Iterator[tuple[str, pathlib.Path, str, str]]:
    """Yields each loss's name and folder, and the paths of its curves and film (no suffix)."""
    if is_gallery(root):
        for file in sorted(root.glob(f"*/{DESCRIPTION_FILE}")):
            name = file.parent.name
            yield name, file.parent, f"{name}/curves.png", f"{name}/film"
        return
    for file in sorted(root.glob(f"*/loss/{DESCRIPTION_FILE}")):
        name = file.parent.parent.name
        yield name, file.parent, f"{name}/evaluation/curves.png", f"{name}/videos/learning"


def _entry(
    root: pathlib.Path, media: Media, name: str, folder: pathlib.Path, curves: str, film: str
) -> GalleryEntry:
    about = read_description(folder)
    family = about["family"]
    described = [one["about"]["summary"] for one in families(family) if "about" in one]
    load = f"import epg_tf\nloss = epg_tf.load_loss({str(folder)!r})"
    results = f"runs/{name}" if is_gallery(root) else str(root / name / "evaluation")
    words = ["python", "-m", "epg_tf.evaluate", "--loss", str(folder), "--root_dir", results]
    return GalleryEntry(
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
    updates, steps = scores["num_updates"], scores["steps_per_update"]
    caption = (
        f"Returns of {name} on held-out tasks, final ones after {count(updates)} updates of "
        f"{count(steps)} steps: interquartile means with 95 % intervals."
    )
    return score_table(caption, scores["methods"], scores["labels"], scores.get("early_update"))
