"""What the record means to a reader: one register (read model) a file. Imports domain only."""
