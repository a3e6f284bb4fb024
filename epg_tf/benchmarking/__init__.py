"""What `python -m epg_tf.benchmark` measures, part by part.

`parts` lists the parts and puts their results together; `processes` starts each of them in fresh
processes, under `horovodrun` where it needs several. `lifetimes` has the main figure: how much of
`mujoco.rollout`'s speed is left once agents act and learn (`open_loop` is that limit). Nothing of
the product imports this package.
"""
