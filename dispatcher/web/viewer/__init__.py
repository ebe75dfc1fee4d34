"""The viewer: one mail, looked at as mail programs show it. The preview page and the demo's inbox have it in common.

message ─▶ mail (taken apart) ─▶ panes (desktop, phone, dark, pictures off, text, links, headers, source)
                             └─▶ frame (the HTML of one pane, in which nothing can run)
"""
