"""The whole chain on one screen: an invented paper, the real daemon, real SMTP and an inbox in the browser.

    stories/*.toml ─▶ articles ─▶ feed (HTTP) ─┐                         ┌─▶ mailbox (SMTP) ─▶ inbox (HTTP)
                                └▶ folder ─────┴▶ the daemon (readers) ──┘        └──────────▶ archive (files)

Everything listens on loopback only and lives in a temporary folder.
"""
