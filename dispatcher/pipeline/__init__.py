"""The only place where the stages meet. Four steps with rows between them:

     sources ─▶ articles ─▶ topics ─▶ [article, match] ─▶ schedule ─▶ digest ─▶ [digest, delivery] ─▶ delivery ─▶ reader
      fetch      clean       match                         who is due   compose                        smtp        │
                                                                                                                outcome
                                                                                                                   ▼
               pause, suppress ◀──────── [subscriber, suppression] ◀────────── feedback ◀───────────────── [event]

     ingest ═══════════════════════▶ plan ═══════════════════════════▶ send ═══════════▶ settle      (prune: retention)
                                      └─ presign: planned, rendered and signed before the slot ─┘

A step is one async function `step(ctx, now) -> Report`: load → decide → act → save, in short transactions. It is
idempotent, resumable and safe in N copies. One step = one function = one CLI command = one tick of the daemon.

    context     what every step is given: settings, database, the doors to the outside
    publications  the newsletters as config names them, and from where their mail comes
    declare     config → rows: what the operator wrote becomes sources, topics and readers (`readership`);
                `belonging` says which newsletter each topic is of
    enrolment   people: follow, change, pause, leave; keeps their schedules true
    admission   people whom the operator brings by command; `entries` checks them as config would
    roster      many of them at once, in and out; `sheet` is CSV, `lines` JSON Lines
    applicants  a row → somebody to be enrolled, checked once for all who say the same; `marks` knows who came before
    intake      applicants by the thousand: strangers together, everybody else with admission's care
    blocklist   who must not be written to, in and out
    optin       people who come by themselves: a request and its mail; `choices` checks it, `limits` (with `providers`
                and `disposable`) bound it, `own_topics` are what only they see
    confirmation  the second half of it: the button that makes a reader of who asked
    shelf       the latest articles in memory, for trying a query out; `trial` explains one on one article;
                `suggestions` are what queries could be about
    departure   people who leave with one click (`together`: many at once), get `less` instead, or take it back
    preferences all that a reader gets, as one sheet, and as they want it
    account     who holds a link; a fresh one opens the `dossier`, the erasure and the `relocation` to another address
    ingest      due sources → articles with their matches (`matching`, with `index_file` for the topic index on disk)
    ailments    the owner is told when a source breaks, and when it can be read again
    publishing  articles that a program brings, by the way of all others; `access` is who may: tokens and their scopes
    catalogue   sources and topics that operators bring by command or page, beside those that config declares
    census      what the publisher's topics find, and which find nothing, everything or the same
    operators   who may use the admin pages, by password (`passwords`) or link; `audit` is the log of what they changed
    editions    what a person writes (`manuscript` reads it, `clippings` are the stories in it), and how it is stopped;
                `proof` shows it before anybody gets it, `circulation` says how many have
    release     editions whose time has come → digests and deliveries
    plan        due readers → digests and deliveries; `batch` loads what that needs, `waiting` puts it off;
                `styles` are what newsletters and topics want otherwise
    presign     soon to be due → digests and deliveries (`ahead`), signed; released at their slot
    signing     whose keys (`signing_keys`) vouch for a message, and the fields that say so
    preview     what one reader would get, without sending it; `reasons` say why, `specimens` are mails of every kind
    studio      what the preview page shows: wishes → a mail, for templates and settings as they are at this moment
    send        a `shift`: claimed deliveries → a `carrier` → outcomes (`ledger` commits, `send_report` counts them);
                `lease` keeps them ours
    mail        the carrier whose way leads over a relay; `wires` are what it is made of (`tales` of articles,
                `pictures`), `links` those in it
    quota       when a claimed delivery may leave: `ways` (the limits it has to pass), `tolls` and `purse` (the tokens
                they take), `speed` and `lessons` (how fast it went, and what complaints about that taught)
    letters     mails to one person in which no article stands; `greetings` are those to who comes and who leaves
    safety      what a claim may take: pauses, what came back, the usual, the daily cap; `standing` tells of it
    templates   whose each is, a copy of ours to change, and whether all is well with them
    standins    our template in the place of one of the operator's that cannot be used
    alarms      the owner is told, by a letter, that something needs a person
    tell        the carriers of webhooks, each in a lane of its own
    hooks       how anything that happens is announced to webhooks; `tidings` are those of mail
    archive     public topics whose slot has come → issues, for anybody; `holdings` are what its pages may show, `views`
                digests as pages
    settle      events that came back → strikes, suppressions, departures
    prune       what has outlived its retention
    quarantine  how one poisoned row is set aside while the others go on
    once        one pass through all of them
"""
