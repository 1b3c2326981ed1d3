"""Stand-in."""

from s2clientprotocol import Message as Point2D

__all__ = ["Point2D"]
