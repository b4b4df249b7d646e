"""The watcher on the Windows file server: a Replica, and the set by which case files become due."""
