"""Layer 1: the networks of agents, of global information, of mixers and of students."""
