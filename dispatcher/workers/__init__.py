"""Workers: several processes that send, on one outbox. They share nothing but its rows.

    daemon, or a command
        │
      Crew ──stdin: orders; its end means "finish"──▶ python -m dispatcher.workers ── send ──▶ relay
           ◀─stdout: at the end, what it did───────────────┘

A worker has its own row of instances, lock, claims and lease. Its crew puts another in the place of one that dies;
the claims of the dead are taken back because their lock is free. A worker whose crew dies reads the end of its
standard input and finishes: none is ever left behind.
"""
