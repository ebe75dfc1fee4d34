"""What people and programs meet over HTTP: readers' pages, the API, the admin pages.

    socket ─▶ server ─▶ guard ─▶ app ─┬─ readers/  no password: signed links
    (uvicorn)  patience   who,        ├─ api/      bearer tokens
               and limits how much    └─ admin/    sessions and roles

Every page works without JavaScript; no page has inline script or style. What a page does, it does through `pipeline`,
by the functions that the commands call too. GET never changes anything.
"""
