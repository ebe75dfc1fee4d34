"""Digests: compose what a reader gets, render it, and make it the bytes that go over the wire.

    DigestContent ──▶ render ──▶ Rendered ──▶ wire.compile ──▶ Wire ──▶ wire.assemble ──▶ bytes
                      templates   text and     encoded once      kept     slots filled     one reader
                      voice       slots        per digest        as JSON  per reader

Whatever readers share is rendered, styled and encoded once per digest. What differs between them stands in a template
between `{% personal %}` and `{% endpersonal %}`, and travels as a slot until a message is assembled.
"""
