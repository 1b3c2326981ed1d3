"""Quantities that change with the number of env steps."""


def linear(start: float, end: float, steps: int, at: int) -> float:
    """From `start` at step 0 to `end` at step `steps` and after, in a straight line."""
    return start + (end - start) * min(at / steps, 1.0)
