"""Evolution strategies, Eq. 5, with an ask-and-tell interface for any parameters.

`ask` returns the candidates phi + sigma epsilon_i; `tell` takes all n returns and climbs. Both
draw the noise from (seed, epoch, worker), so ranks exchange returns alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Annotated, Literal

import numpy as np

from epg_tf.checks import (
    NonNegativeNumber,
    PositiveInt,
    PositiveNumber,
    Settings,
    one_of,
    require,
    within,
)
from epg_tf.outer_loop.shaping import SHAPINGS, pair_correlation
from epg_tf.schedules import Schedule, value_in
from epg_tf.seeds import SAMPLINGS, noise


@dataclasses.dataclass(frozen=True)
class EvolutionState:
    """The state of the search, as in checkpoints.

    Attributes:
        epoch: Completed epochs.
        phi: The parameters, [P] float64.
        first_moment: Adam's, [P] float64.
        second_moment: Adam's, [P] float64.
        start_epoch: The last epoch before the search began; 0 without a teacher.
    """

    epoch: int
    phi: np.ndarray
    first_moment: np.ndarray
    second_moment: np.ndarray
    start_epoch: int = 0


@dataclasses.dataclass(frozen=True)
class EvolutionStrategy(Settings):
    """The settings of the search, and its two methods.

    The gradient is `g = 1 / (n sigma) sum_i F_i epsilon_i` with shaped returns F_i. A step of Adam
    or plain ascent follows g.

    Attributes:
        noise_std: sigma, a number or a schedule.
        learning_rate: The outer learning rate (alpha in Algorithm 1), a number or a schedule.
        sampling: "paired" (antithetic) or "independent" (the paper).
        shaping: "centred_ranks", "pair_ranks" (of the differences within pairs) or "none" (Eq. 5).
        optimizer: "adam" or "sgd".
        beta_1: Adam's; 0, as in the 2018 release, so that the noise of an epoch does not last.
        beta_2: Adam's.
        epsilon: Adam's.
        weight_decay: The fraction of phi, times the learning rate, that each step subtracts. It is
            decoupled (Loshchilov & Hutter 2019): inside the gradient, Adam would scale it up to
            full steps if returns carry no signal, as with guidance 1.
    """

    noise_std: PositiveNumber | Schedule = 0.03
    learning_rate: PositiveNumber | Schedule = 0.01
    sampling: Annotated[str, one_of(SAMPLINGS)] = "paired"
    shaping: Annotated[str, one_of(SHAPINGS)] = "centred_ranks"
    optimizer: Literal["adam", "sgd"] = "adam"
    beta_1: Annotated[float, within("[0, 1)")] = 0.0
    beta_2: Annotated[float, within("[0, 1)")] = 0.999
    epsilon: PositiveNumber = 1e-8
    weight_decay: NonNegativeNumber = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shaping == "pair_ranks" and self.sampling != "paired":
            raise ValueError(
                "`EvolutionStrategy.shaping` (='pair_ranks') needs "
                "`EvolutionStrategy.sampling` (='paired')."
            )

    def check_population(self, num_workers: int) -> None:
        """Checks that the population can be sampled.

        Raises:
            ValueError: If pairs need an even number of workers.
        """
        require("num_workers", num_workers, PositiveInt)
        if self.sampling == "paired" and num_workers % 2:
            raise ValueError(f"`num_workers` (={num_workers}) must be even with sampling='paired'.")

    def init(self, phi: np.ndarray, epoch: int = 0) -> EvolutionState:
        """Returns the initial state of a search from phi [P] that begins after `epoch`."""
        phi = np.asarray(phi, np.float64)
        return EvolutionState(epoch, phi, np.zeros_like(phi), np.zeros_like(phi), epoch)

    def ask(self, state: EvolutionState, seed: int, workers: Iterable[int]) -> np.ndarray:
        """Returns the candidates phi + sigma epsilon_i of the next epoch.

        Args:
            state: The state of the search.
            seed: The seed of the run.
            workers: The numbers of the workers.

        Returns:
            [len(workers), P] float32.
        """
        epoch, size = state.epoch + 1, len(state.phi)
        sigma = value_in(self.noise_std, epoch)
        noise = (self._noise(size, seed, epoch, worker) for worker in workers)
        return np.stack([(state.phi + sigma * one).astype(np.float32) for one in noise])

    def tell(
        self, state: EvolutionState, seed: int, returns: np.ndarray
    ) -> tuple[EvolutionState, dict[str, float]]:
        """Takes the step of Eq. 5.

        Args:
            state: The state that `ask` was given.
            seed: The seed of the run.
            returns: R_i of all n workers, in their order, [n].

        Returns:
            The new state, and numbers by name, which docs/files.md explains.
        """
        epoch, step = state.epoch + 1, state.epoch + 1 - state.start_epoch
        # A fixed order of the sum gives every rank the same digits, whatever the number of ranks.
        gradient = np.zeros_like(state.phi)
        for worker, weight in enumerate(SHAPINGS[self.shaping](np.asarray(returns, np.float64))):
            gradient += weight * self._noise(len(gradient), seed, epoch, worker)
        gradient /= len(returns) * value_in(self.noise_std, epoch)
        direction = gradient
        rate = value_in(self.learning_rate, epoch)
        first, second = state.first_moment, state.second_moment
        if self.optimizer == "adam":
            first = self.beta_1 * first + (1.0 - self.beta_1) * direction
            second = self.beta_2 * second + (1.0 - self.beta_2) * np.square(direction)
            unbiased_second = second / (1.0 - self.beta_2**step)
            unbiased_first = first / (1.0 - self.beta_1**step)
            direction = unbiased_first / (np.sqrt(unbiased_second) + self.epsilon)
        phi = state.phi + rate * (direction - self.weight_decay * state.phi)
        logs = {
            "gradient_norm": float(np.linalg.norm(gradient)),
            "phi_norm": float(np.linalg.norm(phi)),
            "outer_learning_rate": float(rate),
            "noise_std": float(value_in(self.noise_std, epoch)),
            "relative_step": float(np.linalg.norm(phi - state.phi) / np.linalg.norm(phi)),
        }
        if self.sampling == "paired":
            logs["pair_correlation"] = pair_correlation(np.asarray(returns, np.float64))
        return EvolutionState(epoch, phi, first, second, state.start_epoch), logs

    def _noise(self, size: int, seed: int, epoch: int, worker: int) -> np.ndarray:
        return noise(seed, epoch, worker, size, self.sampling)
