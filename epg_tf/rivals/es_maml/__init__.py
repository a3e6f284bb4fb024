"""ES-MAML (Song et al. 2020): initial weights by evolution strategies, not by gradients."""
