"""Teaching: phi is shown what its gradient should have been. Ours; not in the paper."""
