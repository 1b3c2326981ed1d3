"""Layer 0: errors, events, seeding, metrics, settings, and the batch of episodes with its axes."""
