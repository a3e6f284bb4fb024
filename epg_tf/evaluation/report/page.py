"""Reports as self-contained HTML pages: a run, several runs, or several losses.

The words are in `templates`. A page needs no network. It names no machines and no times, so that
the same folder gives the same page.
"""

from __future__ import annotations

import pathlib
import re
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

import jinja2
import markupsafe

from epg_tf.evaluation import plot_style
from epg_tf.evaluation.report import tables
from epg_tf.evaluation.report.gallery import is_gallery, read_gallery
from epg_tf.evaluation.report.media import Medium
from epg_tf.evaluation.report.parts import COMPLETE
from epg_tf.evaluation.report.run_report import RunReport
from epg_tf.evaluation.report.several_runs import draw_runs, read_runs, run_folders, table_of_runs
from epg_tf.text import as_markdown


class Page(NamedTuple):
    """A report.

    Attributes:
        html: The page.
        pictures: The content of PNG files beside it, by name.
        said: Lines for the terminal.
    """

    html: str
    pictures: Mapping[str, bytes]
    said: list[str]


def make_page(root: pathlib.Path) -> Page:
    """Makes the report of a folder: a run, a folder of runs, or a folder of losses.

    Raises:
        ValueError: If the folder holds none of these, or is damaged; in one sentence.
    """
    name, entries = root.absolute().name, read_gallery(root)
    if is_gallery(root):
        return Page(_render("gallery.html", name=name, entries=entries), {}, [])
    folders = run_folders(root)
    if not folders:
        run = RunReport.read(root)
        missing = [part for part in run.parts.values() if part.state != COMPLETE]
        said = [f"  {part.name}: {part.line}" for part in missing]
        if missing:
            said.insert(0, "Not in it, because it is not there or not complete:")
        return Page(_render("report.html", run=run, tables=tables), {}, said)
    runs, left_out = read_runs(folders)
    table, picture = table_of_runs(runs), plot_style.png(draw_runs(runs))
    html = _render(
        "runs.html",
        name=name,
        root=root,
        first=next(iter(runs.values())),
        picture=Medium.of("runs.png", picture),
        runs=table,
        left_out=left_out,
        entries=entries,
    )
    return Page(html, {"runs.png": picture}, [as_markdown(table), *left_out])


def _render(template: str, **data: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("epg_tf.evaluation.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"code": _code, "command": shlex.join}
    return environment.get_template(template).render(data)


def _code(text: str) -> markupsafe.Markup:
    """Escapes text; marks up code in backticks, minus signs, and intervals that must not break."""
    escaped = re.sub(r"(?<![\w.=-])-(?=\d)", "\N{MINUS SIGN}", str(markupsafe.escape(text)))
    escaped = re.sub(
        r"(\S) \[(\S+), (\S+)\]", "\\1\N{NO-BREAK SPACE}[\\2,\N{NO-BREAK SPACE}\\3]", escaped
    )
    return markupsafe.Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped))
