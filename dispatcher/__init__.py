"""A newsletter and notification dispatcher: feeds in, personal digests out.

Start reading at `dispatcher.pipeline`: its docstring draws the whole flow.
"""

from __future__ import annotations

__version__ = "0.1.0"
