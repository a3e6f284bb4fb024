"""Off-screen pictures of MuJoCo states, drawn in a separate process.

OpenGL may crash a process with TensorFlow and Horovod. Horovod makes TensorFlow's symbols global,
and those of its LLVM too. Mesa's software renderer, loaded later, then runs partly on that LLVM,
and the process dies if the two support different processors. So `process` starts a process without
either. It runs `worker`, which draws with `offscreen`. The package knows no tasks.
"""
