"""Section 4.3, Figs. 6 and 9: the effect of a loss on policies, and its sensitivity to inputs."""
