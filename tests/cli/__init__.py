"""The command line as people type it: help, errors, progress, and the whole pipeline."""
