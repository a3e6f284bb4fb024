"""Evolved losses in TF-Agents: an agent beside its PPO and SAC."""
