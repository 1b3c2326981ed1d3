"""Layer 6: finished runs to tables: `gather` counts, `sections` lays out, `wording` says, `formats` writes."""
