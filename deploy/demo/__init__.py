"""The demo: a real year of flights through the whole road, and what drifted in it."""
