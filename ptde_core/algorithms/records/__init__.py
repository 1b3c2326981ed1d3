"""One file for each algorithm: its record, which says all that is the algorithm's own. The list: `catalogue.py`."""
