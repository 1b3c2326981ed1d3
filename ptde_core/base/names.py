"""Names that stand in files, so that readers of files know them: of backends and kinds of global information.

What each is made of stands in the catalogues of the layers above; tests hold them against these lists.
"""

from typing import Literal

BackendName = Literal["skirmish", "game", "football", "smac", "smacv2", "pettingzoo"]
GlobalInfo = Literal["agent-specific", "unified", "commander", "coach", "none"]
