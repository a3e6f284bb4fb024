"""Every picture: NumPy in, PNG out. The only place that imports matplotlib."""
