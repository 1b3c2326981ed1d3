"""Layer 1: the files of a run, and the replay memory."""
