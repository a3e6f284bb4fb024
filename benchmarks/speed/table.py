"""The figures as a table for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def render(figures: dict[str, Any]) -> str:
    """Formats the figures of `parts.assemble` as a table."""
    return "\n".join(
        [
            *_machine(figures["machine"]),
            *_speed(figures),
            *_breakdown(figures),
            *_process(figures),
            *_communication(figures),
            *_cost(figures.get("cost", {})),
            *(f"profile: {file}" for file in figures.get("profiles", [])),
        ]
    )


def _machine(machine: dict[str, Any]) -> Iterator[str]:
    yield (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB; Python "
        f"{machine['python']}, MuJoCo {machine['mujoco']}, TensorFlow {machine['tensorflow']}, "
        f"NumPy {machine['numpy']}"
    )


def _speed(figures: dict[str, Any]) -> Iterator[str]:
    w = figures["workers_per_rank"]
    yield ""
    yield "environment steps per second, whole lifetimes and physics alone (the limit)"
    yield f"{'':14}{'ranks x W':>10}{'steps/s':>12}{'limit':>12}{'share':>8}{'1 -> 2 ranks':>14}"
    for family, share in figures["share_of_limit"].items():
        yield (
            f"{family:14}{f'2 x {w}':>10}{figures['steps_per_second'][family]:>12,.0f}"
            f"{figures['limit_steps_per_second'][family]:>12,.0f}{share:>8.2f}"
            f"{figures['scaling_two_ranks_by_family'][family]:>13.2f}x"
        )
        yield (
            f"{'':14}{f'1 x {2 * w}':>10}{figures['steps_per_second_one_rank'][family]:>12,.0f}"
            f"{figures['limit_steps_per_second_one_rank'][family]:>12,.0f}"
            f"{figures['share_of_limit_one_rank'][family]:>8.2f}"
            f"{figures['one_rank_over_two'][family]:>13.2f}x of two ranks"
        )


def _breakdown(figures: dict[str, Any]) -> Iterator[str]:
    yield ""
    yield "where an update's time goes, in ms and percent (beside it the physics alone)"
    categories = list(next(iter(figures["breakdown"].values())))
    yield f"{'':24}" + "".join(f"{name:>16}" for name in categories) + f"{'limit':>10}"
    w = figures["workers_per_rank"]
    for key, limit, ranks in (
        ("breakdown", "limit_ms_per_update", f"2 x {w}"),
        ("breakdown_one_rank", "limit_ms_per_update_one_rank", f"1 x {2 * w}"),
    ):
        for family, parts in figures[key].items():
            cells = "".join(
                f"{part['ms_per_update']:>10.2f}{part['percent']:>5.0f}%" for part in parts.values()
            )
            yield f"{family:14}{ranks:>10}{cells}{figures[limit][family]:>10.2f}"


def _process(figures: dict[str, Any]) -> Iterator[str]:
    yield ""
    for name, times in figures["startup"].items():
        yield (
            f"start-up, {name}: {times['first_step']:.1f} s to the first step, "
            f"{times['first_update']:.1f} s to the first update (compiling: {times['compile']:.1f})"
        )
    yield (
        f"memory: {figures['rss_mb']:.0f} MB per rank after an epoch, "
        f"{figures['rss_growth_mb']:+.1f} MB over {figures['rss_growth_updates']:,} updates"
    )


def _communication(figures: dict[str, Any]) -> Iterator[str]:
    communication = figures["communication"]
    measured = ", ".join(
        f"{1e3 * seconds:.1f} ms on {ranks} ranks"
        for ranks, seconds in communication["measured_seconds"].items()
    )
    yield f"an epoch's exchange: {measured} ({figures['workers_per_rank']} workers each)"
    yield f"tell: {1e6 * communication['tell_seconds_per_worker']:.0f} us per worker"


def _cost(cost: dict[str, Any]) -> Iterator[str]:
    names = {"workers": "W", "updates": "K", "parameters": "P"}
    for axis, result in cost.items():
        yield ""
        yield f"{'cost against ' + names[axis]:26}" + "".join(f"{n:>10,}" for n in result["sizes"])
        for what, row in result.items():
            if what != "sizes":
                values = "".join(f"{value:>10.3g}" for value in row["milliseconds"])
                yield f"{what + ', ms':26}{values}   ~ {names[axis]}^{row['exponent']:.2f}"
