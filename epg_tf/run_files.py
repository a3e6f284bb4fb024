"""What the files of a run are called that more than one module reads or writes."""

CONFIG_FILE = "operative_config.gin"
METRICS_FILE = "metrics.jsonl"
