"""Algorithm 1, line 12, in machine code compiled by numba."""
