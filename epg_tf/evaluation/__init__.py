"""Evaluation of losses: fresh agents learn with them on held-out tasks."""
