"""What the operator sees of a running service: logs now, metrics later."""
