"""The two hot loops of a lifetime, compiled by numba: collecting steps and gradient steps."""
