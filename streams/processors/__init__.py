"""The processors on Faust: one role a file, each thin over the pure state of `driftline.streams.windows`."""
