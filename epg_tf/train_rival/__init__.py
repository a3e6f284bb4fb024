"""The door to training rivals: `python -m epg_tf.train_rival`."""
