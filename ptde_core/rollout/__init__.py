"""Layer 4: how policies play environments: for training, collecting, evaluating, and in loops of one's own."""
