"""The door to the losses that ship: `python -m epg_tf.losses`."""
