"""A batch of engines that play one episode at a time (football, StarCraft II), each in a process of its own."""
