"""What control says: signed envelopes, commands, the state of what serves, acknowledgements, records of the audit."""
