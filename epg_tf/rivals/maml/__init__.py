"""MAML for reinforcement learning (Finn et al. 2017): the inner step, differentiated."""
