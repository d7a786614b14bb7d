"""From a path or an address to layers."""
