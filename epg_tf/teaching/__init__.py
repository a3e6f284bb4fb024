"""Teaching: the guide shows phi what its gradient should have been. Ours; not in the paper."""
