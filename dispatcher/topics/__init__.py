"""Topics: the query language, the index of stored queries (a percolator), and why an article matches. Pure.

    text ──parser──▶ Node ──canonical──▶ one text for all who ask the same ──index──▶ match(document) ──▶ Hits
                                                                             ├─evaluate─▶ score of one query
                                                                             └─explain──▶ Explanation

`evaluate` says what a query means, by asking it of one article; `index` gives the same answer for all queries at once.
Inside the index, from what an article holds to what it matches:

    vocabulary (with memory)   words and stems are numbers, signs      features    every leaf of every query is a number
    sequences                  so are words in sequence                table       from signs to features
    sight                      which features an article has           clauses     a query as conjunctions of features
    sheaf, postings, annex     conjunctions, kept and asked            compaction, snapshot

docs/reference/query-language.md is the reader's account, docs/explanation/percolator.md that of the index.
"""
