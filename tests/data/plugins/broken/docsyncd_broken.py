"""A plugin whose library is not installed."""

raise ImportError("libdwg.so.7: cannot open shared object file")
