"""Labels: exact numbers as texels, coloured in the shader."""
