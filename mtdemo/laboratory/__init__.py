"""Laboratory."""
