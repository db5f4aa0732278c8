"""The command ``ghost-spiking``, one module for each thing that it does."""

from .main import main

__all__ = ["main"]
