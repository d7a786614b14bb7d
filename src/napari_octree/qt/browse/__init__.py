"""Browse a store: its tree, pictures, metadata, and buttons to open what is there."""
