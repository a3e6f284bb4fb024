"""Algorithm 1, lines 4-12: lifetimes in which agents learn from a loss."""
