"""What goes wrong around a program."""

from __future__ import annotations

__all__ = ["CompilationError"]


class CompilationError(RuntimeError):
    """The C++ program could not be built or run.

    Examples
    --------
    >>> from ghost_spiking.dense import CompilationError
    >>> issubclass(CompilationError, RuntimeError)
    True
    """
