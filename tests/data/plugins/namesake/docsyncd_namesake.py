"""A plugin whose entry point has the name of another one's."""
