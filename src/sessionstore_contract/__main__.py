"""`python -m sessionstore_contract`."""

from .cli import main

main(prog_name="sessionstore-contract")
