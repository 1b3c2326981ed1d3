"""ptde: personalized training with distilled execution for cooperative multi-agent reinforcement learning."""

__version__ = "0.1.0"
