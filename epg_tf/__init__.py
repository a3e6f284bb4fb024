"""Evolved Policy Gradients in TensorFlow."""
