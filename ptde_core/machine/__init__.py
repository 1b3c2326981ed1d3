"""Layer 7: what is of this machine: what it has and lacks, processes side by side, Ctrl-C."""
