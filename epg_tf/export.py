"""Exports an evolved loss: as arrays and as a SavedModel, with a card beside them.

    python -m epg_tf.export --loss runs/reacher --root_dir runs/reacher/loss
    python -m epg_tf.export --loss runs/reacher/export/best --root_dir runs/reacher/loss
    python examples/use_evolved_loss.py runs/reacher/loss

--root_dir becomes a folder. `loss.npz` holds the arrays; `saved_model.pb` and `variables/` are the
SavedModel for plain TensorFlow. `README.md` is the model card: tasks, inputs, use, scores,
provenance, limits. `loss.json` holds the same for programs. With `operative_config.gin`, --loss of
the other commands takes the folder too. The scores are those that epg_tf.evaluate left in the run's
folder `evaluation`, or in --evaluation.

An earlier export of the same loss in --root_dir is replaced. Any other folder with content is
refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from absl import flags

from epg_tf import command_line
from epg_tf.command_line import config_flags, loss_flags, result_flags

if TYPE_CHECKING:
    import pathlib

    from epg_tf.evolved_loss.load import EvolvedLoss

_EVALUATION = flags.DEFINE(
    command_line.PathParser(),
    "evaluation",
    None,
    "The folder of an evaluation whose scores go into the card; by default RUN/evaluation, where "
    "it is of this loss.",
)


@command_line.takes(config_flags, loss_flags, result_flags)
def main() -> None:
    """Runs the command."""
    # Imported here so that --help and a mistyped flag do not wait for TensorFlow.
    import pathlib

    import epg_tf.rivals.presets  # noqa: F401 so that their presets get a fitting sentence
    from epg_tf.evolved_loss.card import model_card
    from epg_tf.evolved_loss.description import describe
    from epg_tf.evolved_loss.load import load
    from epg_tf.evolved_loss.provenance import provenance
    from epg_tf.evolved_loss.saved_model import export_loss
    from epg_tf.files import CONFIG_FILE
    from epg_tf.ranks import Ranks

    ranks = Ranks()
    with command_line.one_sentence(ranks):
        root = config_flags.ROOT_DIR.value or ""
        out = pathlib.Path(root).absolute()
        presets = config_flags.GIN_FILE.value, config_flags.GIN_BINDING.value
        loss = load(loss_flags.LOSS.value or "", *presets)
        inner_loop, family = loss.settings.inner_loop, loss.settings.family
        description = describe(inner_loop, family, loss.phi)
        is_replaced = _holds_earlier_export(out, description["phi_crc32"])
        scores, remark = _scores(loss, description["phi_crc32"])
    if not ranks.is_first:
        return
    more = {"provenance": provenance(loss), "scores": scores}
    texts = {
        "README.md": model_card(description | more, loss.config_text),
        CONFIG_FILE: loss.config_text,
    }
    try:
        export_loss(inner_loop, family, loss.phi, out.resolve(), more, texts)
    except OSError as error:
        command_line.fail(
            f"`--root_dir` (={out}) must be a folder one can write to ({error.strerror})."
        )
    result_flags.write_result(description | more)
    if is_replaced:
        print("Replaced the earlier export of the same loss.")
    epoch = more["provenance"]["epoch"]
    which = "a loss" if epoch is None else f"the loss of epoch {epoch}"
    print(f"Exported {which}, {remark}, to {root}. Its card: {root}/README.md")


def _holds_earlier_export(out: pathlib.Path, phi_crc32: int) -> bool:
    """Returns True if --root_dir holds an earlier export of the loss; False if it holds nothing.

    Raises:
        ValueError: If it holds anything else.
    """
    from epg_tf.evolved_loss.folder import LOSS_FILES, read_description
    from epg_tf.files import CONFIG_FILE, recover

    recover(out.resolve())
    if not out.exists() or out.is_dir() and not any(out.iterdir()):
        return False
    ours = {"README.md", CONFIG_FILE, *LOSS_FILES}
    is_export = out.is_dir() and {path.name for path in out.iterdir()} <= ours
    if is_export and read_description(out).get("phi_crc32") == phi_crc32:
        return True
    raise ValueError(
        f"`--root_dir` (={out}) must be a new folder, or an earlier export of the same loss with "
        "nothing else in it, which is then replaced."
    )


def _scores(loss: EvolvedLoss, phi_crc32: int) -> tuple[dict[str, Any] | None, str]:
    """Returns the scores for the card, or None, and a remark about them.

    Raises:
        ValueError: If --evaluation is not an evaluation of the loss.
    """
    import pathlib

    from epg_tf.evolved_loss.folder import read_description
    from epg_tf.evolved_loss.load import run_of
    from epg_tf.evolved_loss.scores import read_scores

    if _EVALUATION.value is not None:
        folder = pathlib.Path(_EVALUATION.value)
        return read_scores(folder, phi_crc32), f"with the scores of {folder}"
    run = run_of(loss.path)
    folder = None if run is None else run / "evaluation"
    if folder is not None and folder.exists():
        try:
            return read_scores(folder, phi_crc32), f"with the scores of {folder}"
        except ValueError as error:
            return None, f"without scores ({str(error).rstrip('.')})"
    known = read_description(loss.path).get("scores")
    return known, "with the scores that it had" if known else "not evaluated"


if __name__ == "__main__":
    command_line.run(main, "loss", "root_dir")
