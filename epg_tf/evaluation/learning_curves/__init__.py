"""Figs. 4, 5 and 7: learning curves of agents with the loss and of other methods."""
