"""Public helpers for connector authors: emulation of remotes and the port contracts."""
