"""The training of every meta-learned rival: its loop, files and folder."""
