"""Layer 8: the stages of the pipeline, one file each: train_teacher, collect, distill, evaluate, run, export."""
