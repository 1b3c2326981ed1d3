"""Stand-in."""

from s2clientprotocol import Message as Action
from s2clientprotocol import Message as RequestAction

__all__ = ["Action", "RequestAction"]
