"""Settings: defaults < `config/dispatcher.toml` and what it includes < environment < files of secrets.

`load` gives frozen `Settings` or a ConfigError with every problem: its file, its key, what is wrong and what to do.
"""

from __future__ import annotations

from dispatcher.config.fields import Checks
from dispatcher.config.files import find
from dispatcher.config.load import load
from dispatcher.config.settings import Settings
from dispatcher.config.show import show

__all__ = ["Checks", "Settings", "find", "load", "show"]
