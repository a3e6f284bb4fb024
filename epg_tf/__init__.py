"""Evolved Policy Gradients in TensorFlow (Houthooft et al. 2018, arXiv 1802.04821)."""

import gym_notices.notices

# TF-Agents imports the old gym, which then asks every user to upgrade what is not theirs.
gym_notices.notices.notices.clear()
