"""Figs. 3 and 8: pictures of bodies, films of agents, and their exploration."""
