"""The sealed record: leaves, the tree, the keys of data subjects, and what a committee verifies."""
