"""Names that stand in files, so that readers of files know them: of algorithms, backends, kinds of global information.

What each is made of stands in the catalogues of the layers above; tests hold them against these lists.
"""

from typing import Literal

AlgorithmName = Literal["qmix", "vdn", "qplex", "mappo", "csrl", "copa", "ctds"]
BackendName = Literal["skirmish", "game", "football", "smac", "smacv2", "pettingzoo"]
GlobalInfo = Literal["agent-specific", "unified", "commander", "coach", "none"]
