"""phi: the learned loss (Fig. 2), and the hand-made surrogates that guide it (Eqs. 1 and 6)."""
