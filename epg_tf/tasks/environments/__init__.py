"""Any gymnasium environment as a family of tasks."""
