"""The laboratory: train a copy of a model under a plan, and see what moved."""
