"""The machine that the figures belong to."""

from __future__ import annotations

import os
import pathlib
import platform
from importlib import metadata
from typing import Any

_CPU_INFO = pathlib.Path("/proc/cpuinfo")


def describe() -> dict[str, Any]:
    """CPU, cores, memory and versions."""
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
