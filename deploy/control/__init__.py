"""Commands as people give them: built from what is so, shown, signed, published, and their outcome waited for."""
