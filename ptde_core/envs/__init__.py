"""Layer 2: environments behind one batched contract."""
