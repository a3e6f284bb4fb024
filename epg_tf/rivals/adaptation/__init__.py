"""The parts that MAML and ES-MAML share: a policy, and gradient steps that adapt it to a task."""
