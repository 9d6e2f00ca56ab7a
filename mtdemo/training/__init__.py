"""TrainingSettings."""
