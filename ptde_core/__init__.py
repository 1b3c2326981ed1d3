"""ptde: personalized training with distilled execution for cooperative multi-agent reinforcement learning."""

import os

__version__ = "0.1.0"

# Torch's OpenMP threads wait for each other by spinning. Where other processes share the cores (several seeds at once,
# a laptop in use) a spinning thread keeps the one it waits for from running: an update of 70 ms was seen to take 4 s.
# OpenMP reads this when torch is imported, so it stands here, before any module of ours can do that.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
