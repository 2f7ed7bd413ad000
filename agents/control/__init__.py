"""Who may change what serves: signatures, keys, trust, policy, admission, a model's life; pure but for key files."""
