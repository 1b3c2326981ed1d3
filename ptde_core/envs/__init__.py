"""Layer 1: environments behind one batched contract."""
