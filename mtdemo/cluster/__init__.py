"""Many machines, by Ray: files annotated in parts, and replicas of the REST interface. Imported only where it is used."""
