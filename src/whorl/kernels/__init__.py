"""Arithmetic that many steps lean on, compiled for the machine at hand."""
