"""The state of windows, pure: layouts, counters, panes, marks, merges and verdicts; time is an argument."""
