"""Layer 4: the stages of the pipeline, one file each."""
