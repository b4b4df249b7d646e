"""`python -m docsyncd`."""

from docsyncd.cli import main

main()
