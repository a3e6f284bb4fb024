"""The command that meta-trains rivals: `python -m epg_tf.train_rival`."""
