"""Replays, and the ways to show them: GIF, MP4, PNG, an HTML page, a terminal."""
