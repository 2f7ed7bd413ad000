"""How the serving agent is started: one process, or several on one port."""
