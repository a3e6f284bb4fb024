"""theta: the agents' networks and optimisers, their actions and their experience."""
