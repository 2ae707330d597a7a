"""Similarity steps: features of queries and gallery in, a block of similarities out; higher = more alike."""
