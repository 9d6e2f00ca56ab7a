"""Questions about vectors and models: similarity, and how far two models are apart."""
