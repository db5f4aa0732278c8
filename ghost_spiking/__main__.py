"""``python -m ghost_spiking`` is ``ghost-spiking``."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="ghost-spiking")
