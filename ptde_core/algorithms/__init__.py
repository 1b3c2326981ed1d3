"""Layer 4: how a teacher learns."""
