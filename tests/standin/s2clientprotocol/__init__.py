"""Stand-in for Blizzard's protocol buffers: messages that keep what they are given."""

from types import SimpleNamespace as Message

__all__ = ["Message"]
