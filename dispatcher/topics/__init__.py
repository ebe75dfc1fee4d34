"""Topics: the query language, the index of stored queries (a percolator), and why an article matches. Pure.

    text ──parser──▶ Node ──canonical──▶ one text for all who ask the same ──index──▶ Plan ──score(document)──▶ Hit
                                                                             └─explain──▶ Explanation

A query is compiled once and evaluated for every article. docs/reference/query-language.md is the reader's account.
"""
