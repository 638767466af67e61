"""Memory: what was hashed is not hashed again while nobody can have changed it."""
