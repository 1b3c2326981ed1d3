"""Anybody's PettingZoo environment, played as a team game."""
