"""The leaf that touches the wire: transports take one message for one recipient and answer with an Outcome.

From the outside in:

    transport   what the pipeline needs from any way of sending
    memory      a transport that keeps everything: tests, previews
    smtp        SmtpTransport: messages for one relay
    pool        the lines to it: opened, shared, renewed, given up; `line` is what a line must be able to do
    connection  how a line begins: connect, greet, secure, log in
    pipelined   the line itself: takes the transport of an open connection over, and keeps it full where it may
    dialogue    what is said on it, and what the answers mean; no I/O
    transaction one message on it
    replies     a server's replies, out of whatever pieces they come in; `patience` waits for them
    manners     what was learnt of a relay: which way it may be spoken to
    relay       what is known about a relay: where, how secured, how patient
    commands    MAIL and RCPT with their parameters
    envelope    what may go on the wire at all; `verp` makes senders that name their delivery
    outcomes    from a server's reply to an Outcome, by the table in `rules`
    trouble     words for what breaks on the way
    loop        the event loop that sockets are fastest on
"""
