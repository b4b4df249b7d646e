"""The host underneath: logs."""
