"""How good a loss is: what fresh agents learn with it on held-out tasks."""
