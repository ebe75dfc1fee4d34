"""How an explanation of a match looks in a terminal."""
