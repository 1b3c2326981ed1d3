"""Stand-in."""

from s2clientprotocol import Message as DebugCommand
from s2clientprotocol import Message as DebugCreateUnit

control_enemy = 2

__all__ = ["DebugCommand", "DebugCreateUnit", "control_enemy"]
