"""The shell: gathers what the remotes say, asks core, carries the answer out."""
