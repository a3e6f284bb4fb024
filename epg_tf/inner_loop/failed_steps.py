"""Steps that a simulator could not take: few are an accident, many are a fault of the tasks."""

from __future__ import annotations

from absl import logging

_WORTH_A_WARNING = 0.01
MOST = 0.2  # of all steps; what is learned from more is not about the robot


def warn_of_failed_steps(num_failed: int, num_steps: int) -> None:
    """Warns, once per process, if more than one step in a hundred failed."""
    if num_failed > _WORTH_A_WARNING * num_steps:
        logging.log_first_n(
            logging.WARNING,
            "%.0f %% of the steps failed: the simulator could not take them, or what it returned "
            "was not finite. They end episodes. A smaller time step or less noise at the start may "
            "help.",
            1,
            100.0 * num_failed / num_steps,
        )
