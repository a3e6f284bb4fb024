"""Compares the speed of lifetimes with an older commit's, in turns on the same machine.

    git worktree add ../older COMMIT
    python benchmarks/against_commit.py ../older reacher half_cheetah

Machines differ more than commits do, and a machine's speed varies from minute to minute. So the two
checkouts take turns, and the last column is the median of the turns' ratios.
"""

import collections
import importlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve()
CHECKOUT = HERE.parents[1]
SERVE = [sys.executable, HERE, "--serve"]
PACKAGES = ("benchmarks.speed", "epg_tf.benchmarking")  # older commits have the second
WORKERS, UPDATES, TURNS, REPETITIONS = 16, 8, 3, 5


def package_of(checkout):
    """Returns the name of a checkout's own benchmark; nothing if it has none."""
    found = (name for name in PACKAGES if (checkout / name.replace(".", "/")).is_dir())
    return next(found, "")


def measure(ranks, package, families):
    """Measures the checkout that this process imports; returns steps per second by family."""
    lifetimes = importlib.import_module(f"{package}.lifetimes")
    presets = importlib.import_module(f"{package}.presets")
    workers = WORKERS * 2 // ranks.size
    found = {}
    for family in families:
        presets.GUIDANCE.setdefault(family, 0.0)
        measured = lifetimes.measure(ranks, family, workers, UPDATES, REPETITIONS)
        found[family] = measured["steps_per_second"]
    return found


def speeds(checkout, families, num_ranks):
    """Starts the ranks of one checkout and returns its steps per second by family."""
    with tempfile.TemporaryDirectory() as folder:
        exchange = pathlib.Path(folder) / "exchange.json"
        package = package_of(checkout)
        exchange.write_text(json.dumps({"package": package, "families": families}))
        launcher = [pathlib.Path(sys.executable).with_name("horovodrun"), "-np", str(num_ranks)]
        done = subprocess.run(
            [*(launcher if num_ranks > 1 else []), *SERVE, package, exchange],
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": str(checkout)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            sys.exit(f"{checkout} could not be measured:\n{done.stdout}")
        return json.loads(exchange.read_text())


def main(older, *families):
    """Prints the table."""
    found = collections.defaultdict(list)
    for _ in range(TURNS):
        for num_ranks in (2, 1):
            then, now = (speeds(one, families, num_ranks) for one in (older, CHECKOUT))
            for family in families:
                found[family, num_ranks].append((then[family], now[family]))
    print(f"{'preset':20}{'ranks':>6}{'then':>10}{'now':>10}{'ratio':>8}")
    for (family, num_ranks), pairs in found.items():
        then, now = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(new / old for old, new in pairs)
        print(f"{family:20}{num_ranks:>6}{then:>10,.0f}{now:>10,.0f}{ratio:>8.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        _, package = sys.argv.pop(1), sys.argv.pop(1)
        importlib.import_module(f"{package}.processes").serve(measure)
    elif len(sys.argv) < 3 or not package_of(pathlib.Path(sys.argv[1])):
        sys.exit("usage: against_commit.py CHECKOUT PRESET [PRESET ...]")
    else:
        main(pathlib.Path(sys.argv[1]).resolve(), *sys.argv[2:])
