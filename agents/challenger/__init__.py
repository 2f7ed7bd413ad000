"""The challenger: a package that scores the events of a champion beside it, without any load on what serves."""
