"""The methods that a loss is compared with, apart from our own PPO."""
