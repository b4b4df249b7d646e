"""What the daemon remembers: the queue, the ledger, the audit chain."""
