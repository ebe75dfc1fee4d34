"""The leaf that touches the wire: transports take one message for one recipient and answer with an Outcome.

From the outside in:

    transport   what the pipeline needs from any way of sending
    memory      a transport that keeps everything: tests, previews
    smtp        SmtpTransport: messages for one relay
    pool        the lines to it: opened, shared, renewed, given up; `line` is what a line must be able to do
    connection  a line, one command at a time: connect, secure, log in, then MAIL, RCPT, DATA
    pipelined   a line that is kept full: takes the transport of an open connection over
    dialogue    what is said on it, and what the answers mean; no I/O
    transaction one message on it
    replies     a server's replies, out of whatever pieces they come in; `patience` waits for them
    manners     what was learnt of a relay: which way it may be spoken to
    relay       what is known about a relay: where, how secured, how patient
    commands    MAIL and RCPT with their parameters
    envelope    what may go on the wire at all; `verp` makes senders that name their delivery
    outcomes    from a server's reply to an Outcome, by the table in `rules`
    trouble     words for what breaks on the way
"""
