"""ES-MAML (Song et al. 2020): first weights by evolution strategies, not by gradients."""
