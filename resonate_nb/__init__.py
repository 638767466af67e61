"""resonate_nb: durable promises for notebooks."""
