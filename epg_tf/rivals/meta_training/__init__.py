"""What the training of every meta-learned rival has in common: its loop, files and folder."""
