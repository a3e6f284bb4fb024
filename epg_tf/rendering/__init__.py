"""Off-screen pictures of MuJoCo states, drawn in a separate process.

OpenGL may crash a process with TensorFlow and Horovod. Horovod makes TensorFlow's symbols global,
including those of its LLVM. Mesa's software renderer, loaded later, then runs partly on that LLVM.
The process dies if the two LLVMs know different processors. So `process` starts a process without
TensorFlow and Horovod. It runs `worker`, which draws with `offscreen`. The package knows models and
states, not tasks.
"""
