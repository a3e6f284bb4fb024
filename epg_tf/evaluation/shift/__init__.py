"""Evaluation outside the training distribution: a sweep over one setting of the tasks."""
