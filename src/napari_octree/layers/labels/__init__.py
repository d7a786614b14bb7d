"""Labels: a layer of them, and what is only theirs."""
