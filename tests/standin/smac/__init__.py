"""Stand-in for oxwhirl/smac."""
