"""The only place where the stages meet. Four steps with rows between them:

     sources ─▶ articles ─▶ topics ─▶ [article, match] ─▶ schedule ─▶ digest ─▶ [digest, delivery] ─▶ delivery ─▶ reader
      fetch      clean       match                         who is due   compose                        smtp        │
                                                                                                                outcome
                                                                                                                   ▼
               pause, suppress ◀──────── [subscriber, suppression] ◀────────── feedback ◀───────────────── [event]

     ingest ═══════════════════════▶ plan ═══════════════════════════▶ send ═══════════▶ settle      (prune: retention)

A step is one async function `step(ctx, now) -> Report`: load → decide → act → save, in short transactions. It is
idempotent, resumable and safe in N copies. One step = one function = one CLI command = one tick of the daemon.

    context     what every step is given: settings, database, the doors to the outside
    declare     config → rows: what the operator wrote becomes sources, topics and readers (`readership`)
    enrolment   people: follow, change, pause, leave; keeps their schedules true
    admission   people whom the operator brings by command; `entries` checks them as config would
    roster      many of them at once, in and out; `sheet` is the CSV
    ingest      due sources → articles with their matches (`matching`)
    plan        due readers → digests and deliveries; `batch` loads what that needs
    preview     what one reader would get, without sending it
    send        claimed deliveries → the wire → outcomes (`ledger` commits them)
    settle      events that came back → strikes, suppressions, departures
    prune       what has outlived its retention
    quarantine  how one poisoned row is set aside while the others go on
    once        one pass through all of them
"""
