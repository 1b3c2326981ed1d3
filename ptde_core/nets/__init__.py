"""Layer 2: the networks of agents, of global information, of mixers and of students."""
