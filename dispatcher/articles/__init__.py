"""Raw → clean: text that is text, HTML that is safe, links that are absolute, instants that are UTC. Pure."""
