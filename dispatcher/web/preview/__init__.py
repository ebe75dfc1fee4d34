"""The preview page: a mail beside the wishes it is made by, on this machine only, new whenever a file changes.

query ─▶ asked ─▶ studio (pipeline) ─▶ viewer ─▶ page, with its controls
"""
