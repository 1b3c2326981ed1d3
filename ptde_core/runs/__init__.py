"""Layer 5: what a run is made from: settings of all stages, presets, recipes, and whether a file is stale. No torch."""
