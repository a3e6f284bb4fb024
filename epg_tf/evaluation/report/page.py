"""A run as one self-contained HTML page: the template's data, and its pictures inline.

The words are in `templates/report.html`. The page needs no network. It names no machines and no
times, so that the same folder gives the same page.
"""

from __future__ import annotations

import importlib.metadata
import pathlib
import platform
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jinja2
import markupsafe

from epg_tf.evaluation.methods import WITH_REWARD
from epg_tf.evaluation.report.contents import inputs_table
from epg_tf.evaluation.report.gallery import GalleryEntry
from epg_tf.evaluation.report.media import Media, Medium, data_uri
from epg_tf.evaluation.report.parts import COMPLETE, Part
from epg_tf.evaluation.report.plot_meta_training import plot_meta_training
from epg_tf.evaluation.report.plot_runs import plot_runs
from epg_tf.evaluation.report.several_runs import held_out_estimate, table_of_runs
from epg_tf.evaluation.report.tables import (
    about_tasks,
    table_of_epochs,
    table_of_held_out,
    table_of_provenance,
    tables_of_config,
)
from epg_tf.evolved_loss.card import families
from epg_tf.files import CONFIG_FILE, read_json
from epg_tf.run.records import RunRecords, family_of
from epg_tf.text import Table, count, number

_STACK = ("epg_tf", "tensorflow", "tf-agents", "mujoco", "gymnasium", "numpy", "scipy")
_ALIASES = {"tensorflow": ("tensorflow", "tensorflow-cpu")}  # two names of one package


def render_page(records: RunRecords, parts: Mapping[str, Part]) -> str:
    """Renders the page of one run.

    Args:
        records: The records of the run.
        parts: The results of other commands on it, by name.

    Returns:
        HTML.
    """
    description = _description(records)
    return _template("report.html").render(
        name=records.root.absolute().name,
        root=str(records.root),
        family=family_of(records),
        made=_made(records),
        headlines=list(_headlines(records, parts)),
        about_tasks=list(about_tasks(records, _about(description))),
        trained=list(tables_of_config(records)),
        inputs=inputs_table(description) if description else None,
        sees_reward=records.sees_reward,
        meta_training=_draw_meta_training(records),
        epochs=table_of_epochs(records),
        held_out=table_of_held_out(records),
        parts=parts,
        media=Media(records.root).inline,
        config_text=records.config_text,
        provenance=table_of_provenance(records),
        again=_line_that_trains_again(records),
        versions=_table_of_versions(parts),
        tensorboard=shlex.join(["tensorboard", "--logdir", str(records.root)]),
    )


def render_gallery(root: pathlib.Path, entries: Sequence[GalleryEntry]) -> str:
    """Renders the HTML page of several losses in a folder."""
    return _template("gallery.html").render(name=root.absolute().name, entries=entries)


def render_page_of_runs(
    root: pathlib.Path,
    runs: Mapping[str, RunRecords],
    left_out: Sequence[str],
    picture: bytes,
    entries: Sequence[GalleryEntry] = (),
) -> str:
    """Renders the page of several runs.

    Args:
        root: The folder of the runs.
        runs: The runs by name.
        left_out: Sentences about runs that cannot be shown.
        picture: The PNG of `draw_runs`.
        entries: The losses that some of the runs have exported.

    Returns:
        HTML.
    """
    first = next(iter(runs.values()))
    return _template("runs.html").render(
        name=root.absolute().name,
        family=family_of(first),
        picture=Medium("runs.png", data_uri(picture, "runs.png"), len(picture) / 1e6),
        runs=table_of_runs(runs),
        left_out=left_out,
        entries=entries,
        single=shlex.join(["python", "-m", "epg_tf.report", "--root_dir", str(first.root)]),
        tensorboard=shlex.join(["tensorboard", "--logdir", str(root)]),
    )


def draw_runs(runs: Mapping[str, RunRecords]) -> bytes:
    """Draws the picture of several runs; returns a PNG."""
    of_epochs = {
        name: (run.metrics["env_steps"], run.metrics["return_median"]) for name, run in runs.items()
    }
    finals = {name: held_out_estimate(run) for name, run in runs.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "runs.png"
        plot_runs(path, f"{family_of(next(iter(runs.values())))}, run by run", of_epochs, finals)
        return path.read_bytes()


def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("epg_tf.evaluation.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["code"] = _code
    return environment.get_template(name)


def _description(records: RunRecords) -> Mapping[str, Any] | None:
    """Returns the `loss.json` of the run's loss; None if there is no readable one."""
    for folder in ("loss", "export/latest"):
        found = read_json(records.root / folder / "loss.json")
        try:
            if found is not None and inputs_table(found):
                return found
        except (KeyError, TypeError):
            continue
    return None


def _about(description: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """Returns the descriptions of the families in a `loss.json`; older files have none."""
    family = description["family"] if description else None
    return [one["about"] for one in families(family) if "about" in one] if family else []


def _headlines(records: RunRecords, parts: Mapping[str, Part]) -> Iterator[tuple[str, str, str]]:
    """Yields the main results: a label, a value and a remark each."""
    record = parts["evaluation"].record
    if parts["evaluation"].state == COMPLETE and "evolved" in record:
        labels = record["provenance"]["labels"]
        others = "; ".join(
            f"{labels[method]}: {number(record[method]['final_iqm'])}"
            for method in WITH_REWARD
            if method in labels
        )
        yield (
            "On held-out tasks",
            number(record["evolved"]["final_iqm"]),
            f"final return; with rewards {others}",
        )
    last = {name: values[-1] for name, values in records.metrics.items()}
    planned = records.setting("num_epochs")
    of = f" of {count(planned)}" if isinstance(planned, int) else ""
    yield (
        "Made in",
        f"{count(records.num_epochs)}{of} epochs",
        f"{count(last['env_steps'])} environment steps",
    )
    if records.checkpoint is not None:
        sees = "sees the reward" if records.sees_reward else "sees no reward"
        yield "The loss", f"{count(len(records.checkpoint.state.phi))} parameters", sees
    first = records.metrics["return_mean"][0]
    yield (
        "While it was made",
        f"{number(first)} → {number(last['return_mean'])}",
        "mean return of an epoch's agents, first and last epoch",
    )


def _made(records: RunRecords) -> str:
    """Returns the origin of the loss: "evolved", "taught" or "taught, then evolved"."""
    return (records.checkpoint.made if records.checkpoint else "") or "evolved"


def _draw_meta_training(records: RunRecords) -> Medium:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "meta_training.png"
        plot_meta_training(path, family_of(records), records.metrics, records.best)
        return Media(path.parent).inline(path.name)


def _line_that_trains_again(records: RunRecords) -> str:
    config = str(records.root / CONFIG_FILE)
    binding = f"meta_train.num_epochs={records.num_epochs}"
    words = ["python", "-m", "epg_tf.train", "--gin_file", config, "--gin_binding", binding]
    return shlex.join([*words, "--root_dir", f"{records.root}_again"])


def _table_of_versions(parts: Mapping[str, Part]) -> Table:
    columns = {"this page": _installed()}
    for name, part in (("evaluation", parts["evaluation"]), ("export", parts["loss"])):
        about = part.record.get("provenance")
        versions = about.get("versions") if isinstance(about, Mapping) else None
        if isinstance(versions, Mapping):
            columns[name] = {
                package.replace("tf_agents", "tf-agents"): version
                for package, version in versions.items()
            }
    packages = dict.fromkeys(package for versions in columns.values() for package in versions)
    rows = [(name, *(str(of.get(name, "–")) for of in columns.values())) for name in packages]
    return Table("What each was made with", ("package", *columns), rows)


def _installed() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _STACK:
        for package in _ALIASES.get(name, (name,)):
            try:
                versions.setdefault(name, importlib.metadata.version(package))
            except importlib.metadata.PackageNotFoundError:
                continue
    return versions


def _code(text: str) -> markupsafe.Markup:
    """Escapes text; marks up code in backticks, minus signs, and intervals that must not break."""
    escaped = re.sub(r"(?<![\w.=-])-(?=\d)", "\N{MINUS SIGN}", str(markupsafe.escape(text)))
    escaped = re.sub(
        r"(\S) \[(\S+), (\S+)\]", "\\1\N{NO-BREAK SPACE}[\\2,\N{NO-BREAK SPACE}\\3]", escaped
    )
    return markupsafe.Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped))
