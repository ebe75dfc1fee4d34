"""The admin pages: what is going on, and what an operator can do about it.

    routes ─▶ door (session, role, origin, CSRF) ─▶ a page ─▶ pipeline, by the functions that the commands call
                                                      └─ changes: `acting`, which writes the audit log with them

A viewer looks, an editor changes, an owner also decides who may come in and whom to forget. Every page works without
JavaScript and brings none. The tables are starlette-admin's, read-only, in our own templates.
"""
