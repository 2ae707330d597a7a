"""Editions with known answers: a made-up hospital, and generators that leak as much as they are told."""
