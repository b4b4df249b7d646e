"""One contract suite per port, run over every installed connector."""
