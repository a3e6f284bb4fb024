"""One agent's variables in TensorFlow that are any number of agents', one after the other.

A graph per agent would take seconds each to compile. What makes an agent an individual is but some
thousand numbers, so here they are a vector: assigned to the one agent's variables before it learns,
and read back after it, all within one compiled call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf


class SwappedVariables:
    """Variables, and vectors [D] of all their numbers."""

    def __init__(self, variables: Sequence[tf.Variable]):
        """Makes nothing new.

        Args:
            variables: What is swapped, float32 and each of them once.
        """
        self._variables = list(variables)
        self._sizes = [variable.shape.num_elements() for variable in self._variables]

    def gather(self) -> tf.Tensor:
        """What the variables are now, [D]."""
        return tf.concat([tf.reshape(variable, [-1]) for variable in self._variables], axis=0)

    def scatter(self, vector: tf.Tensor) -> None:
        """Gives the variables the numbers of a vector [D]."""
        for variable, part in zip(self._variables, tf.split(vector, self._sizes), strict=True):
            variable.assign(tf.reshape(part, variable.shape))

    def views(self, agents: np.ndarray) -> dict:
        """The parts of vectors [..., D] by `ref()` of their variables; of one vector, views."""
        parts = np.split(agents, np.cumsum(self._sizes)[:-1], axis=-1)
        return {
            variable.ref(): part.reshape((*agents.shape[:-1], *variable.shape))  # pyright: ignore[reportArgumentType, reportCallIssue]
            for variable, part in zip(self._variables, parts, strict=True)
        }

    def values(self, agents: np.ndarray, variables: Iterable[tf.Variable]) -> list[np.ndarray]:
        """What some of the variables are to agents [W, D], [W, ...] each."""
        views = self.views(agents)
        return [views[variable.ref()] for variable in variables]

    def draw_kernels(
        self, agent: np.ndarray, networks: Iterable[tf.Module], generator: np.random.Generator
    ) -> None:
        """Draws the kernels of networks anew, by their own initialisers.

        Args:
            agent: The vector [D] to write them to.
            networks: The networks whose dense layers are drawn.
            generator: All that is random in them.
        """
        views = self.views(agent)
        for network in networks:
            for layer in network.submodules:
                if isinstance(layer, tf.keras.layers.Dense):
                    kernel = _draw_kernel(layer.kernel_initializer, layer.kernel.shape, generator)
                    views[layer.kernel.ref()][...] = kernel


def _draw_kernel(initializer, shape, generator: np.random.Generator) -> np.ndarray:
    """A kernel by the rule of a Keras initialiser, old or new style, but with a seed of its own."""
    rule = getattr(tf.keras.initializers, type(initializer).__name__)
    config = {name: v for name, v in initializer.get_config().items() if name != "dtype"}
    return rule(**{**config, "seed": int(generator.integers(2**31))})(shape).numpy()
