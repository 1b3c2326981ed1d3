"""Layer 0: errors, events, seeding, metrics, fields of settings, and the batch of episodes with its axes."""
