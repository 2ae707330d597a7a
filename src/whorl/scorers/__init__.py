"""Scorers: methods that do not factor into similarity and pooling; they return the same table."""
