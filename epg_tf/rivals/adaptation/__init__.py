"""What MAML and ES-MAML have in common: a policy, and gradient steps that adapt it to a task."""
