"""When a reader is due, and what they get then: all pure.

phrase     a cadence as people write it ⇄ Cadence
cron       the crontab(5) expression of a `cron` cadence, field by field in `cronfield`
days       which days of the calendar, and the times on them
zones      what the clocks of a zone show, gaps and repeated hours included
cadence    when a cadence is due, and the slot that is filled then
quiet      when a reader wants no mail, and when that ends
select     who gets what
wait       what is put off until quiet time ends
agenda     which schedules a reader needs
"""
