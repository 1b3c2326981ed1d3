"""Stand-in: the real one starts StarCraft II; here it only has to be there."""
