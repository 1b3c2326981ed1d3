"""Skirmish beside the real game: plays and trains what was logged there, and makes tables of both with a verdict."""
