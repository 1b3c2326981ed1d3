"""Layer 2: the files of a run, and the replay buffer."""
