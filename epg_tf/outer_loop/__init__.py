"""Algorithm 1, lines 2-3 and 13-14: the search for phi."""
