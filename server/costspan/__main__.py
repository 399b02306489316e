"""`python -m costspan` is the command line. Nothing else lives here."""

from costspan.cli import main

main()
