"""Plans: what would train, how fast, and at what cost. No model that answers is touched."""
