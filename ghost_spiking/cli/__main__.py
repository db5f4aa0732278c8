"""``python -m ghost_spiking.cli``."""

from .main import main

main(prog_name="ghost-spiking")
