"""What comes back after a message has left, and what it means."""
