"""The outer optimiser: evolution strategies (Eq. 5) over ranks. It knows no environments."""
