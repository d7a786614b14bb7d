"""Which tile shows which visible place, exactly once."""
