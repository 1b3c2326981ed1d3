"""Stand-in."""

from s2clientprotocol import Message as ActionRaw
from s2clientprotocol import Message as ActionRawUnitCommand

__all__ = ["ActionRaw", "ActionRawUnitCommand"]
