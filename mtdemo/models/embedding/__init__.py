"""Embedding: from hidden states to one vector per sentence, as a model's makers meant it."""
