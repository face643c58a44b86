"""`python -m companion.bp4d ROOT`: check up on a BP4D tree."""

from companion.bp4d.checkup import main

main()
