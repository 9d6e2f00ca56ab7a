"""Questions about one answer: which words made it, and what changes it."""
