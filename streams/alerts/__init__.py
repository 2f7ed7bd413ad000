"""When windows, silence and losses become alerts, and how receivers are told; time and chance are arguments."""
