"""Gathers a run, and the results of other commands on it, on one HTML page.

    python -m epg_tf.report --root_dir runs/reacher

The page is one file that needs no network: `report.html` in the run's folder, or --out. It shows
the settings, the training, and the run's folders `evaluation`, `analysis`, `videos` and `loss`. For
missing folders it gives the commands that make them:

    python -m epg_tf.evaluate --loss runs/reacher --root_dir runs/reacher/evaluation
    python -m epg_tf.analyze --loss runs/reacher --root_dir runs/reacher/analysis
    python -m epg_tf.render --loss runs/reacher --root_dir runs/reacher/videos
    python -m epg_tf.export --loss runs/reacher --root_dir runs/reacher/loss

For a folder of several runs, such as launch/ablations.sh makes, the page compares them. It has one
picture (also written as `runs.png`) and one table (also printed) with the settings in which each
run differs from most. Below them are the losses in the runs' folders `loss`.

For a folder of losses, such as `losses`, the page is a gallery of them.

The command takes seconds. It may be repeated at any time, even while runs are in progress.
"""

from __future__ import annotations

import os
import pathlib

from absl import flags

from epg_tf import command_line
from epg_tf.command_line import config_flags

flags.declare_key_flag("root_dir")
flags.DEFINE(
    command_line.PathParser(),
    "out",
    None,
    "The page; by default report.html in the folder of --root_dir.",
)


@command_line.takes()
def main() -> None:
    """Runs the command."""
    for name in ("gin_file", "gin_binding"):
        if flags.FLAGS[name].value:
            command_line.fail(f"`--{name}` must not be given: a report has the run's own config.")
    # Imported here so that --help and a mistyped flag do not wait for matplotlib.
    from epg_tf.evaluation.report.page import make_page

    root = pathlib.Path(config_flags.ROOT_DIR.value or "")
    try:
        if not config_flags.ROOT_DIR.value:
            raise ValueError("`--root_dir` (='') must name a folder.")
        page = make_page(root)
        out = _page_to_write(root)
    except ValueError as error:
        command_line.fail(str(error))
    for name, picture in page.pictures.items():
        _write(out.with_name(name), picture)
    _write(out, page.html.encode())
    print(*page.said, sep="\n", end="\n" if page.said else "")


def _write(out: pathlib.Path, content: bytes) -> None:
    from epg_tf.files import write_bytes

    try:
        write_bytes(out, content)
    except OSError as error:
        command_line.fail(f"`--out` (={out}) must be a file one can write ({error.strerror}).")
    print(f"Wrote {out} ({out.stat().st_size / 1e6:.1f} MB).")


def _page_to_write(root: pathlib.Path) -> pathlib.Path:
    """Returns the path of the page.

    Raises:
        ValueError: If --out cannot be one.
    """
    out = pathlib.Path(flags.FLAGS["out"].value or root / "report.html")
    rule = None
    if out.suffix not in (".html", ".htm"):  # a slip must not overwrite data
        rule = "end in .html"
    elif out.is_dir():
        rule = "be a file"
    elif not os.access(out.parent, os.W_OK):
        rule = "be in a folder that one can write to"
    if rule:
        raise ValueError(f"`--out` (={out}) must {rule}.")
    return out


if __name__ == "__main__":
    command_line.run(main, "root_dir")
