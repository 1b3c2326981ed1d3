"""Layer 10: many runs: sweeps, the paper's experiments, and skirmish beside the real game."""
