"""Model packages: a manifest that is signed, the files it lists, and what has to be known before one is loaded."""
