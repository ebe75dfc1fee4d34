"""The leaf that touches the wire: transports take one message for one recipient and answer with an Outcome.

From the outside in:

    transport   what the pipeline needs from any way of sending
    memory      a transport that keeps everything: tests, previews
    smtp        SmtpTransport: a pool of conversations with one relay
    connection  one conversation: connect, secure, log in, then MAIL, RCPT, DATA
    relay       what is known about a relay: where, how secured, how patient
    envelope    what may go on the wire at all
    outcomes    from a server's reply to an Outcome, by the table in `rules`
    trouble     words for what breaks on the way
"""
