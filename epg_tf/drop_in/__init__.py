"""Evolved losses in TF-Agents, as an agent like its PPO and SAC."""
