"""Outside the distribution: one setting of the tasks swept over a range that nobody trained on."""
