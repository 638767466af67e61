"""Services: clients, connections and the like, which count by type and settings and never by credentials."""
