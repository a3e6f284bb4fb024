"""One set of TensorFlow variables that serves any number of agents, one after the other.

A graph per agent would take seconds each to compile. But only some thousand numbers differ between
agents. So each agent is a vector of them. One compiled call assigns it to the shared variables,
trains these, and reads them back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf


class SwappedVariables:
    """Converts between variables and vectors [D] of all their values."""

    def __init__(self, variables: Sequence[tf.Variable]):
        """Stores references to the variables.

        Args:
            variables: The variables to swap, float32, each listed once.
        """
        self._variables = list(variables)
        self._sizes = [variable.shape.num_elements() for variable in self._variables]

    def gather(self) -> tf.Tensor:
        """Returns the present values of the variables, [D]."""
        return tf.concat([tf.reshape(variable, [-1]) for variable in self._variables], axis=0)

    def scatter(self, vector: tf.Tensor) -> None:
        """Assigns the values of a vector [D] to the variables."""
        for variable, part in zip(self._variables, tf.split(vector, self._sizes), strict=True):
            variable.assign(tf.reshape(part, variable.shape))

    def views(self, agents: np.ndarray) -> dict:
        """Returns the parts of vectors [..., D] by variable `ref()`; views, if it is one vector."""
        parts = np.split(agents, np.cumsum(self._sizes)[:-1], axis=-1)
        return {
            variable.ref(): part.reshape((*agents.shape[:-1], *variable.shape))  # pyright: ignore[reportArgumentType, reportCallIssue]
            for variable, part in zip(self._variables, parts, strict=True)
        }

    def values(self, agents: np.ndarray, variables: Iterable[tf.Variable]) -> list[np.ndarray]:
        """Returns the values of some variables for agents [W, D], [W, ...] each."""
        views = self.views(agents)
        return [views[variable.ref()] for variable in variables]

    def draw_kernels(
        self, agent: np.ndarray, networks: Iterable[tf.Module], generator: np.random.Generator
    ) -> None:
        """Draws new kernels of networks with their initialisers.

        Args:
            agent: The vector [D] that the kernels are written to.
            networks: The networks whose dense layers are drawn.
            generator: The source of the initialisers' seeds.
        """
        views = self.views(agent)
        for network in networks:
            for layer in network.submodules:
                if isinstance(layer, tf.keras.layers.Dense):
                    kernel = _draw_kernel(layer.kernel_initializer, layer.kernel.shape, generator)
                    views[layer.kernel.ref()][...] = kernel


def _draw_kernel(initializer, shape, generator: np.random.Generator) -> np.ndarray:
    """Draws a kernel by the rule of a Keras initialiser, old or new style, with a new seed."""
    rule = getattr(tf.keras.initializers, type(initializer).__name__)
    config = {name: v for name, v in initializer.get_config().items() if name != "dtype"}
    return rule(**{**config, "seed": int(generator.integers(2**31))})(shape).numpy()
