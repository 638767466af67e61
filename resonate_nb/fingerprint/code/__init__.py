"""Code: what a function or cell reaches, read from the syntax trees of what is loaded."""
