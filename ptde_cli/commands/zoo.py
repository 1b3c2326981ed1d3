"""`ptde zoo`: the trained policies that come with ptde."""


def zoo() -> None:
    """List the trained policies that come with ptde."""
    from ptde_cli.display import print_tables
    from ptde_core.results.zoo_table import zoo_table

    print_tables([zoo_table()])
