"""Questions about many vectors: their scale, their order, a map of them, groups, and those of two models."""
