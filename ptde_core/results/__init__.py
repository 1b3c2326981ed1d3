"""Layer 6: tables of finished runs. `gather` collects, `sections` lays out, `wording` formats, `formats` writes."""
