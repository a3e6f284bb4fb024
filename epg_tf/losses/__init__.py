"""The command that lists the shipped losses: `python -m epg_tf.losses`."""
