"""`python -m benchmarks [NAME ...]`: all benchmarks, or those named."""

from __future__ import annotations

import sys

from benchmarks import chain, imports, match, render, send, sign, web

BENCHES = {
    "chain": chain.main,
    "imports": imports.main,
    "match": match.main,
    "render": render.main,
    "send": send.main,
    "sign": sign.main,
    "web": web.main,
}

for name in sys.argv[1:] or BENCHES:
    if name not in BENCHES:
        sys.exit(f"no benchmark is named {name!r}; there are {', '.join(BENCHES)}")
    BENCHES[name]()
