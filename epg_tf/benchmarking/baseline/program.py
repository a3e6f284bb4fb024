"""Runs in any checkout since 7488a32: how fast its lifetimes are, by its own benchmark."""

from epg_tf.benchmarking import lifetimes, presets, processes


def measure(ranks, families, workers, updates, repetitions):
    """Environment steps per second by family."""
    speeds = {}
    for family in families:
        presets.GUIDANCE.setdefault(family, 0.0)
        measured = lifetimes.measure(ranks, family, workers, updates, repetitions)
        speeds[family] = measured["steps_per_second"]
    return speeds


if __name__ == "__main__":
    processes.serve(measure)
