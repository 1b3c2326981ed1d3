"""Layer 9: what people look at: learning curves, replays, maps, what z depends on, collected data; tables as text."""
