"""The parts of the benchmark, which run one after the other, and its combined results."""

from __future__ import annotations

import os
import pathlib
import platform
import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any, NamedTuple

from benchmarks.speed.sizes import Sizes

_CPU_INFO = pathlib.Path("/proc/cpuinfo")


class Part(NamedTuple):
    """A measurement: a program that runs in fresh processes.

    Attributes:
        key: The key of its result.
        title: The title for the progress bar.
        program: The name of a module of this package.
        num_ranks: The number of processes.
        arguments: The arguments of the module's `measure`.
    """

    key: str
    title: str
    program: str
    num_ranks: int
    arguments: dict[str, Any]


def list_parts(families: Sequence[str], sizes: Sizes, profile: str | None = None) -> list[Part]:
    """Lists all measurements of some families; those that need only one family use the first."""
    first, parts = families[0], []
    shared: dict[str, Any] = {"bindings": list(sizes.bindings)}

    def add(key: str, title: str, program: str, num_ranks: int = 1, **arguments: Any) -> None:
        parts.append(Part(key, title, program, num_ranks, arguments))

    for family in families:
        asked = {
            "family": family,
            "updates": sizes.updates,
            "repetitions": sizes.repetitions,
            "exchanges": sizes.communication_repetitions,
        }
        w = sizes.workers
        add(f"2 {family}", f"{family}, 2 x {w}", "lifetimes", 2, workers=w, **asked, **shared)
        add(f"1 {family}", f"{family}, 1 x {2 * w}", "lifetimes", workers=2 * w, **asked, **shared)
    memory = {"updates": sizes.memory_updates, "lifetime": sizes.memory_lifetime}
    after = None if sizes.memory_apart else memory
    add("start cold", "cold start", "start_up", family=first, **shared)
    add("start warm", "warm start", "start_up", family=first, memory_after=after, **shared)
    if sizes.memory_apart:
        add("memory", "memory", "memory", family=first, **memory, **shared)
    for axis in ("workers", "updates", "parameters"):
        along = {
            "workers": sizes.cost_workers,
            "updates": sizes.cost_updates,
            "parameters": sizes.cost_context_sizes,
        }[axis]
        if along:
            asked = {"axis": axis, "sizes": list(along)}
            add(f"cost {axis}", f"cost against {axis}", "cost", family=first, **asked, **shared)
    for num_ranks in sizes.communication_ranks:
        asked = {"workers": sizes.workers, "repetitions": sizes.communication_repetitions}
        add(f"exchange {num_ranks}", f"{num_ranks} ranks", "communication", num_ranks, **asked)
    if profile:
        for family in families:
            asked = {"workers": sizes.workers, "updates": sizes.updates, "folder": profile}
            title = f"profile of {family}"
            add(f"profile {family}", title, "profiling", family=family, **asked, **shared)
    return parts


def run(
    parts: Sequence[Part],
    start: Callable[..., dict[str, Any]],
    announce: Callable[[str], object] = str,
) -> dict[str, dict[str, Any]]:
    """Runs the parts; returns their results by key.

    Args:
        parts: The measurements.
        start: `processes.start` or a substitute.
        announce: Called with the title of each part before it runs.
    """
    results = {}
    # This folder of caches is empty at the cold start, and full at the warm one.
    with tempfile.TemporaryDirectory(prefix="epg_tf_benchmark_") as cache:
        for part in parts:
            announce(part.title)
            caches = {"XDG_CACHE_HOME": cache, "NUMBA_CACHE_DIR": cache}
            environment = caches if part.program == "start_up" else {}
            results[part.key] = start(part.program, part.num_ranks, part.arguments, environment)
    return results


def assemble(
    families: Sequence[str], sizes: Sizes, results: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Returns the content of `--json`; docs/speed.md explains the keys."""
    two = {family: results[f"2 {family}"] for family in families}
    one = {family: results[f"1 {family}"] for family in families}

    def of(program: dict[str, dict[str, Any]], key: str) -> dict[str, Any]:
        return {family: result[key] for family, result in program.items()}

    cold, warm = dict(results["start cold"]), dict(results["start warm"])
    memory = results.get("memory") or warm.pop("memory")
    figures = {
        "share_of_limit": of(two, "share"),
        "share_of_limit_one_rank": of(one, "share"),
        "steps_per_second": of(two, "steps_per_second"),
        "limit_steps_per_second": of(two, "limit_steps_per_second"),
        "steps_per_second_one_rank": of(one, "steps_per_second"),
        "limit_steps_per_second_one_rank": of(one, "limit_steps_per_second"),
        "share_of_limit_quartiles": of(two, "share_spread"),
        "scaling_two_ranks": two[families[0]]["scaling"],
        "scaling_two_ranks_by_family": of(two, "scaling"),
        "one_rank_over_two": {
            family: one[family]["steps_per_second"] / two[family]["steps_per_second"]
            for family in families
        },
        "startup_seconds": cold["first_step"],
        "startup_seconds_warm": warm["first_step"],
        "startup": {"cold": cold, "warm": warm},
        "rss_mb": max(of(two, "rss_mb").values()),
        "rss_growth_mb": memory["growth_mb"],
        "rss_growth_updates": memory["updates"],
        "rss_on_the_way_mb": memory["resident_mb"],
        "breakdown": of(two, "breakdown"),
        "breakdown_one_rank": of(one, "breakdown"),
        "limit_ms_per_update": of(two, "limit_ms_per_update"),
        "limit_ms_per_update_one_rank": of(one, "limit_ms_per_update"),
        "set_up_ms": of(two, "set_up_ms"),
        "machine": _machine(),
        "workers_per_rank": sizes.workers,
    }
    figures["communication"] = _communication(two[families[0]], sizes, results)
    cost = {
        axis: results[f"cost {axis}"]
        for axis in ("workers", "updates", "parameters")
        if f"cost {axis}" in results
    }
    if cost:
        figures["cost"] = cost
    profiles = [
        file for key, r in results.items() if key.startswith("profile") for file in r["files"]
    ]
    return figures | ({"profiles": profiles} if profiles else {})


def _communication(
    two_ranks: dict[str, Any], sizes: Sizes, results: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Returns the measured exchanges by number of ranks, and the time of `tell` per worker."""
    exchanged = {str(n): results[f"exchange {n}"]["seconds"] for n in sizes.communication_ranks}
    return {
        "measured_seconds": exchanged or {"2": two_ranks["exchange_seconds"]},
        "tell_seconds_per_worker": two_ranks["tell_seconds_per_worker"],
    }


def _machine() -> dict[str, Any]:
    """Returns CPU, cores, memory and versions."""
    model = platform.processor() or platform.machine()
    if _CPU_INFO.exists():
        names = [
            line for line in _CPU_INFO.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0].partition(":")[2].strip() if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory, 1),
        "python": platform.python_version(),
        **{name: _version(name) for name in ("mujoco", "tensorflow", "numpy")},
    }


def _version(package: str) -> str:
    for name in (package, f"{package}-cpu"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "?"
