"""Layer 3: how a teacher learns."""
