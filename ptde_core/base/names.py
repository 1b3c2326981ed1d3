"""Names that are written into files: backends and kinds of global information.

What each name stands for is in the catalogues of the layers above; tests compare those with these lists.
"""

from typing import Literal

BackendName = Literal["skirmish", "game", "football", "smac", "smacv2", "pettingzoo"]
GlobalInfo = Literal["agent-specific", "unified", "commander", "coach", "none"]
