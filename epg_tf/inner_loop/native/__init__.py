"""Algorithm 1, line 12, by machine code of our own."""
