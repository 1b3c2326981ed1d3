"""Layer 9: what people look at: learning curves, replays, maps, what the information says, the data of a file."""
