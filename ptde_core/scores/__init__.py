"""Layer 2: wins and episodes to rates, intervals and retention; the paper's published figures."""
