"""Lists the shipped losses: their tasks, returns and origin.

    python -m epg_tf.losses
    python -m epg_tf.losses --json losses.json

Every command's --loss and `epg_tf.load_loss` take their names. "_taught" may be left out if no
other loss has the name without it. Returns are interquartile means on held-out tasks; the numbers
of updates, of 128 steps each, are in brackets. A loss's card has the intervals of its returns;
`path` in --json is its folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from epg_tf import command_line
from epg_tf.command_line import result_flags

if TYPE_CHECKING:
    import pathlib


_HEAD = ("name", "tasks", "reward", "made", "steps", "P", "KB", "return (updates)", "PPO's")


_RETURNS = ("early_iqm", "final_iqm")  # the first if the loss is for fewer updates


@command_line.takes(result_flags)
def main() -> None:
    """Runs the command."""
    from epg_tf.evolved_loss.folder import shipped_losses
    from epg_tf.files import SHIPPED
    from epg_tf.text import aligned

    found = {name: _summary(folder) for name, folder in shipped_losses().items()}
    result_flags.write_result(found)
    for line in aligned([_HEAD, *(_row(name, about) for name, about in found.items())]):
        print(line)
    print(f"They lie in {SHIPPED / 'losses'}, and what uses them in")
    print(f"TensorFlow, TF-Agents, PyTorch and JAX in {SHIPPED / 'examples'}.")


def _summary(folder: pathlib.Path) -> dict[str, Any]:
    """Returns the facts about a loss for the table and --json."""
    from epg_tf.evolved_loss.folder import LOSS_FILES, read_description

    about = read_description(folder)
    files = [file for name in LOSS_FILES for file in (folder / name, *folder.glob(f"{name}/**/*"))]
    provenance, scores = about["provenance"], about["scores"]
    return {
        "path": str(folder),
        "family": about["family"]["name"],
        "sees_reward": about["sees_reward"],
        "made": provenance["made"],
        "env_steps": provenance["env_steps"],
        "num_parameters": about["num_parameters"],
        "bytes": sum(file.stat().st_size for file in files if file.is_file()),
        "early_update": scores.get("early_update") or about["inner_update"]["num_updates"],
        "num_updates": scores["num_updates"],
        "returns": {
            name: {key: method[key] for key in _RETURNS if key in method}
            for name, method in scores["methods"].items()
        },
    }


def _row(name: str, about: dict[str, Any]) -> tuple[str, ...]:
    from epg_tf.text import number

    ours, ppo = about["returns"]["evolved"], about["returns"]["ppo"]
    updates = (about["early_update"], about["num_updates"])[-len(ours) :]
    pairs = [f"{number(v, 3)} ({k})" for v, k in zip(ours.values(), updates, strict=True)]
    return (
        name,
        about["family"],
        "seen" if about["sees_reward"] else "no",
        about["made"],
        f"{about['env_steps'] / 1e6:.1f} M",
        f"{about['num_parameters']:,}",
        f"{about['bytes'] / 1000:.0f}",
        ", ".join(pairs),
        ", ".join(number(value, 3) for value in ppo.values()),
    )


if __name__ == "__main__":
    command_line.run(main)
