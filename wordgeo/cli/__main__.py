"""`python -m wordgeo.cli` is `wordgeo`."""

from wordgeo.cli import main

main()
