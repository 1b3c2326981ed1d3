"""Skirmish under SMAC's own names: code written for the `smac` package runs after changing its import line.

    from smac.env import StarCraft2Env                      # before
    from ptde_core.envs.smac_api import StarCraft2Env      # after

What it returns has SMAC's types (lists, numpy vectors, plain floats) and SMAC's rules
(docs/reference/smac-contract.md). The battles are skirmish's, not StarCraft II's: a number that comes from here is a
skirmish number.
"""

from ptde_core.envs.smac_api.environment import StarCraft2Env
from ptde_core.envs.smac_api.multi_agent_env import MultiAgentEnv
from ptde_core.envs.smac_api.smac_units import Direction

__all__ = ["Direction", "MultiAgentEnv", "StarCraft2Env"]
