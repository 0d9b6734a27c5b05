"""How people reach the record: its store, GraphQL, identity, command line, settings, logs."""
