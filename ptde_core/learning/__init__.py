"""Layer 1: targets, losses and schedules as pure functions."""
