"""A run as reports show it: the records in its folder and the results of other commands."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import pathlib
import platform
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from epg_tf.evaluation import plot_style
from epg_tf.evaluation.methods import WITH_REWARD
from epg_tf.evaluation.report import tables
from epg_tf.evaluation.report.media import Media, Medium
from epg_tf.evaluation.report.parts import COMPLETE, Part, read_part
from epg_tf.evaluation.report.plot_meta_training import plot_meta_training
from epg_tf.evolved_loss.card import families
from epg_tf.files import CONFIG_FILE
from epg_tf.run.records import RunRecords, family_of, read_run
from epg_tf.statistics import Bootstrap, Estimate
from epg_tf.text import Table, count, number

_PARTS = ("evaluation", "analysis", "videos", "loss")
_STACK = ("epg_tf", "tensorflow", "tf-agents", "mujoco", "gymnasium", "numpy", "scipy")
_ALIASES = {"tensorflow": ("tensorflow", "tensorflow-cpu")}  # two names of one package


@dataclasses.dataclass(frozen=True)
class RunReport:
    """A run, read once.

    Attributes:
        records: The records of the run.
        parts: The results of other commands on it, by name.
        exported: The run's loss as exported last, by hand or else by the run itself.
        media: The pictures and films in its folder.
    """

    records: RunRecords
    parts: Mapping[str, Part]
    exported: Part
    media: Media

    @classmethod
    def read(cls, root: pathlib.Path) -> RunReport:
        """Reads the folder of a run, which may be in progress; raises as `read_run`."""
        records = read_run(root)
        parts = {name: read_part(records, name) for name in _PARTS}
        is_exported = parts["loss"].state == COMPLETE
        exported = parts["loss"] if is_exported else read_part(records, "export/latest")
        return cls(records, parts, exported, Media(root))

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.records.root.absolute().name

    @property
    def family(self) -> str:
        """The name of the task family."""
        return family_of(self.records)

    @property
    def made(self) -> str:
        """The origin of the loss: "evolved", "taught" or "taught, then evolved"."""
        return (self.records.checkpoint.made if self.records.checkpoint else "") or "evolved"

    @property
    def final_return(self) -> Estimate | None:
        """The final return of agents with the run's loss on held-out tasks.

        It comes from the run's `evaluation`, else from the comparison at its end; None without
        either.
        """
        scores, held_out = self.parts["evaluation"].record, self.records.held_out
        about, evolved = scores.get("provenance"), scores.get("evolved")
        if isinstance(about, Mapping) and about.get("phi_crc32") in self.records.losses():
            names = [f"final_{name}" for name in Estimate._fields]
            if isinstance(evolved, Mapping) and evolved.keys() >= set(names):
                return Estimate(*(evolved[name] for name in names))
        if held_out is None or held_out["epoch"] != self.records.num_epochs:
            return None
        returns = np.asarray(held_out["last"], dtype=float)[:, np.newaxis]
        return Bootstrap.draw(len(returns), 1).estimate(returns)

    def headlines(self) -> Iterator[tuple[str, str, str]]:
        """Yields the main results: a label, a value and a remark each."""
        evaluation, records = self.parts["evaluation"], self.records
        scores = evaluation.record
        if evaluation.state == COMPLETE and "evolved" in scores:
            labels = scores["provenance"]["labels"]
            others = "; ".join(
                f"{labels[method]}: {number(scores[method]['final_iqm'])}"
                for method in WITH_REWARD
                if method in labels
            )
            final = number(scores["evolved"]["final_iqm"])
            yield "On held-out tasks", final, f"final return; with rewards {others}"
        planned = records.setting("num_epochs")
        of = f" of {count(planned)}" if isinstance(planned, int) else ""
        steps = f"{count(records.metrics['env_steps'][-1])} environment steps"
        yield "Made in", f"{count(records.num_epochs)}{of} epochs", steps
        if records.checkpoint is not None:
            sees = "sees the reward" if records.sees_reward else "sees no reward"
            yield "The loss", f"{count(len(records.checkpoint.state.phi))} parameters", sees
        first, last = (number(records.metrics["return_mean"][place]) for place in (0, -1))
        remark = "mean return of an epoch's agents, first and last epoch"
        yield "While it was made", f"{first} → {last}", remark

    def picture(self) -> Medium:
        """Draws the returns of the run's epochs."""
        figure = plot_meta_training(self.family, self.records.metrics, self.records.best)
        return Medium.of("meta_training.png", plot_style.png(figure))

    def about_tasks(self) -> Iterator[str | Table]:
        """Yields the description of the task family as paragraphs and tables, then its settings."""
        family = self.exported.record["family"] if self.exported.state == COMPLETE else None
        about = [one["about"] for one in families(family) if "about" in one] if family else []
        return tables.about_tasks(self.records, about)

    def versions(self) -> Table:
        """Returns the table of the software that made the page, the evaluation and the export."""
        columns: dict[str, Mapping[str, Any]] = {"this page": _installed()}
        for name, part in (("evaluation", "evaluation"), ("export", "loss")):
            about = self.parts[part].record.get("provenance")
            versions = about.get("versions") if isinstance(about, Mapping) else None
            if isinstance(versions, Mapping):
                columns[name] = {
                    package.replace("tf_agents", "tf-agents"): version
                    for package, version in versions.items()
                }
        packages = dict.fromkeys(package for versions in columns.values() for package in versions)
        rows = [(name, *(str(of.get(name, "–")) for of in columns.values())) for name in packages]
        return Table("What each was made with", ("package", *columns), rows)

    def again(self) -> str:
        """Returns the command line that trains the loss again."""
        root = self.records.root
        binding = f"meta_train.num_epochs={self.records.num_epochs}"
        words = ["--gin_file", str(root / CONFIG_FILE), "--gin_binding", binding]
        return shlex.join(["python", "-m", "epg_tf.train", *words, "--root_dir", f"{root}_again"])


def _installed() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _STACK:
        for package in _ALIASES.get(name, (name,)):
            try:
                versions.setdefault(name, importlib.metadata.version(package))
            except importlib.metadata.PackageNotFoundError:
                continue
    return versions
