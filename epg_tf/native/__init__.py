"""Machine code of our own, by numba: what takes a lifetime's time, in calls that need no Python."""
