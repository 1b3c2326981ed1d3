"""Layer 2: targets, losses and schedules as pure functions."""
