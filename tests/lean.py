"""A small loss without context, descended by machine code of our own: little is left to compile."""

LEAN = {
    "InnerLoop.backend": "'numba'",
    "LearnedLoss.inputs": "('observation', 'policy')",
    "LearnedLoss.context_size": 0,
}
