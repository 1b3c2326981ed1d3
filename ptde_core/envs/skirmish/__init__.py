"""Skirmish: SMAC's battles without StarCraft II, batched and compiled (docs/explanation/skirmish.md).

map file + unit facts -> `maps`, `units` -> `layout`, `paths`, `tables` -> kernels (`battle` and what it calls)
-> `environment.Skirmish`. `scripted` and `calibration` play it and compare it with logs of the real game.

`smac-contract#reward` and the like in comments name a section of docs/reference/smac-contract.md.
"""
