"""Many pipelines from one file: `file` reads it, `cells` names them, `sweep` works on them, `work` is one of them."""
