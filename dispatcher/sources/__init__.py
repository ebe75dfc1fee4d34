"""Where articles come from: feeds over HTTP, feeds in files, folders of documents.

    read.read ──▶ http (SSRF-safe, conditional) ──▶ sandbox ▶ feed ▶ jsonfeed
              └─▶ folder (settled files only)   ──▶ sandbox ▶ document ▶ frontmatter | page

A broken source is a value (`Failure`), never an exception; what it gave is `RawArticle`s, untrusted until
`dispatcher.articles` has cleaned them.
"""
