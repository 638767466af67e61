"""Families: how values of well-known packages count, a file each, loaded with the first value of it."""
