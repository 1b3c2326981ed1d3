"""Google Research Football: the paper's academy scenarios on the real engine, one process each."""
