"""`python -m ptde_cli`: the same as the command `ptde`."""

from ptde_cli.app import main

main()
