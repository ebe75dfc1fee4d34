"""Digests: compose what a reader gets, render it, and make it the bytes that go over the wire.

    Outline ──▶ composer ──▶ Draft ──▶ kept ──▶ Wire ──▶ assembly ──▶ bytes
    what was    fragments    encoded   pieces            slots        one reader
    planned     put together           by number         filled

    what the composer has not learnt yet:
    DigestContent ──▶ render ──▶ Rendered ──▶ wire.draft
                      templates   text and     encoded
                      voice       slots

Whatever readers share is rendered, styled and encoded once: for a digest, or for each story in it. What differs between
readers stands in a template between `{% personal %}` and `{% endpersonal %}`, and travels as a slot until a message is
assembled.
"""
