"""Measures the speed of epg_tf, part by part: `python -m benchmarks.speed`.

`parts` lists the parts and puts their results together; `processes` starts each of them in fresh
processes, under `horovodrun` where it needs several. `lifetimes` has the main figure: how much of
`mujoco.rollout`'s speed is left once agents act and learn (`open_loop` is that limit). The
package epg_tf neither imports this one nor ships it.
"""
