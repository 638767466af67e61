"""Values: one walk over builtin values and instances, and what stands for types that no rule knows."""
