"""The page: its parts in `components`, figures in `charts`, a file for each of `tabs`, and the laboratory in `lab`."""
