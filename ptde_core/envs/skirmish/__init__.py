"""Skirmish: SMAC's battles without StarCraft II, batched and compiled (docs/explanation/skirmish.md).

Map file and unit facts -> `map_files`, `units` -> `layout`, `paths`, `map_constants` -> kernels (`battle` and what it
calls) -> `skirmish.Skirmish`. `scripted` and `beside_the_game` play it and compare it with logs of the real game.

`smac-contract#reward` and the like in comments name a section of docs/reference/smac-contract.md.
"""
