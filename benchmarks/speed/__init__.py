"""Measures the speed of epg_tf, part by part: `python -m benchmarks.speed`.

`parts` lists the parts and combines their results. `processes` starts each part in fresh processes,
with `horovodrun` if it needs several. `lifetimes` has the main figure: the share of
`mujoco.rollout`'s speed that remains when agents act and learn (`open_loop` measures that limit).
The package epg_tf neither imports nor ships this one.
"""
