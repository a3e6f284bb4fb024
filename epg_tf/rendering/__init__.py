"""Pictures of MuJoCo states, drawn off screen in a process of their own.

A process that has TensorFlow and Horovod in it cannot be trusted with OpenGL: Horovod makes
TensorFlow's symbols global, those of the LLVM inside it too, and Mesa's software renderer, loaded
afterwards, then runs partly on that LLVM, which ends the process where the two know different
processors. So `process` starts one that has neither, `worker` is what runs there, and `offscreen`
draws there. The package knows models and states, not tasks.
"""
