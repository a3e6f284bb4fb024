"""Figs. 3 and 8: bodies, agents that play, and where they explore."""
