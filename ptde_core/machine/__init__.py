"""Layer 7: the machine: what it has and lacks (`doctor`), processes side by side, Ctrl-C."""
