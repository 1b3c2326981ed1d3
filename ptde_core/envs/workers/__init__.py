"""Engines that play one episode at a time (football, StarCraft II) as a batch: one process each."""
