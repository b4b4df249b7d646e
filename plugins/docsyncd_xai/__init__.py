"""xAI Collections as the index."""
