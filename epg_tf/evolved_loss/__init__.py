"""A loss to take away: read, exported, described."""
