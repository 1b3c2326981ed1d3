"""Layer 12: the command line. Thin commands: parse, call `ptde_core.api`, show. All of Typer and Rich."""
