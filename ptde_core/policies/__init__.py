"""Layer 2: teacher and student as policies, and how a policy plays a batch of environments."""
