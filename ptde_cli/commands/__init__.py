"""One file for each command, which parses, calls `ptde_core.api`, and shows the result."""
