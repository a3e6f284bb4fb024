"""Section 4.3, Figs. 6 and 9: what a loss does to policies, and what it looks at."""
