"""Figs. 4, 5 and 7: agents with the loss beside those of other methods."""
