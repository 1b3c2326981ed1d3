"""Finished runs to tables: `collect` gathers and counts, `sections` lays out, `wording` says, `formats` writes."""
