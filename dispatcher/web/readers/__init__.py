"""Readers' pages: no password and no cookie; what a reader may do, a signed link in a mail says.

    /subscribe ─▶ mail ─▶ /c/TOKEN ─▶ /p/TOKEN        /embed.js  the same form on other sites
                                        ▲             /lost      the link to /p/TOKEN, mailed again

`fields` is the form as it was filled in, `form` as it is shown, `slips` what it carries to prove that it is ours.
"""
