"""Reports: a run, several runs or several losses on one HTML page."""
