"""MAML for reinforcement learning (Finn et al. 2017): gradients through the inner step."""
