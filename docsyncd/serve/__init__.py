"""What the daemon answers to: webhooks and the control socket."""
