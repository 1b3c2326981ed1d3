"""Tests by kind: unit, invariants, contracts, learning, cli."""
