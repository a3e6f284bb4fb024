"""A run as an artefact: its folder, what is written to it and what is read back."""
