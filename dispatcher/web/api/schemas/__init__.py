"""The documents that go in and out, a module for each resource. What goes out is made of our nouns, field by field."""
