"""The nouns: SQLModel tables and frozen values. `docs/glossary.md` gives each a sentence.

Table models do not validate when constructed: whatever comes from outside is checked at the door
(config, CLI, web) and cleaned by `dispatcher.articles` before it becomes one.
"""
