"""Many pipelines from one file: `sweep_file` reads it, `cells` names them, `sweep` runs them, `cell_work` runs one."""
