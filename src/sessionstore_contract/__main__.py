"""`python -m sessionstore_contract`."""

from .entrance import main

main()
