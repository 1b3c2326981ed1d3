"""Skirmish: SMAC's battles without StarCraft II, batched and compiled (docs/skirmish.md).

map file + unit facts -> `maps`, `units` -> `layout`, `paths`, `tables` -> kernels (`battle` and what it calls)
-> `environment.Skirmish`. `scripted` and `calibration` play it and compare it with logs of the real game.
"""
