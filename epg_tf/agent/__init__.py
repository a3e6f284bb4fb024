"""theta: the agents, what they live through, and how they act."""
