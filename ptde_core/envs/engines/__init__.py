"""Games that play one episode at a time, each in a process (`envs.workers`): football, StarCraft II, PettingZoo."""
