"""One child process in which untrusted documents are parsed, because a process can be stopped and a thread cannot.

The parent sends a pickled call, the child answers with what came of it. A call that takes too long, or eats the memory,
costs that child its life and the document its poll; the next call starts another. The child ends with its parent,
however that ends, because its standard input does.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import pickle
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any, ParamSpec, TypeVar

from dispatcher.errors import SourceError

LIMIT = 5.0
_MEMORY = 1 << 30

P = ParamSpec("P")
T = TypeVar("T")


async def run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `function` returns, called in the child. SourceError if it raises one, breaks, or takes over 5 s."""
    return await asyncio.wrap_future(_queue.submit(lambda: _sandbox.call(function, *args, **kwargs)))


def call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The same for a thread, which waits meanwhile."""
    return _queue.submit(lambda: _sandbox.call(function, *args, **kwargs)).result()


class Sandbox:
    """The parent's side. Not safe for two threads at once: calls come through a queue of one."""

    def __init__(self, limit: float = LIMIT) -> None:
        self._limit = limit
        self._child: subprocess.Popen[bytes] | None = None

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call in the child and wait; functions are named by module, so they must be importable."""
        child = self._living_child()
        try:
            is_good, answer = self._exchange(child, (self._limit, function, args, kwargs))
        except (OSError, EOFError, pickle.UnpicklingError) as error:
            self.close()
            is_late = child.returncode == -signal.SIGALRM
            why = f"it took more than {self._limit:g} seconds" if is_late else "the parser broke down on it"
            raise SourceError(f"the document cannot be read: {why}") from error
        if not is_good:
            raise SourceError(str(answer))
        result: T = answer
        return result

    def close(self) -> None:
        """End the child. The next call starts another."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()

    def _exchange(self, child: subprocess.Popen[bytes], call: object) -> tuple[bool, Any]:
        assert child.stdin is not None
        assert child.stdout is not None
        pickle.dump(call, child.stdin)
        child.stdin.flush()
        answer: tuple[bool, Any] = pickle.load(child.stdout)
        return answer

    def _living_child(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self.close()
            self._child = _start()
        return self._child


def _start() -> subprocess.Popen[bytes]:
    """A child that has said it is ready, so that its start does not count as the first document's time."""
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "dispatcher.sources.sandbox"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,  # Ctrl-C is for the daemon, which ends this child when it is done with it
    )
    assert child.stdout is not None
    if child.stdout.read(1) != b"\n":
        child.kill()
        child.communicate()
        raise SourceError("the process that parses documents cannot be started; is the machine out of memory?")
    return child


def _serve(calls: IO[bytes], answers: IO[bytes]) -> None:
    """The child's side: one answer for each call, until there are no more."""
    from dispatcher.sources import document, feed  # noqa: F401 - loaded before the first call is timed

    answers.write(b"\n")
    answers.flush()
    while True:
        try:
            limit, function, args, kwargs = pickle.load(calls)
        except EOFError:
            return
        # An alarm nobody handles ends the process, in the middle of a regular expression too, parent or no parent.
        signal.setitimer(signal.ITIMER_REAL, limit)
        answer = _answer(function, args, kwargs)
        signal.setitimer(signal.ITIMER_REAL, 0)
        pickle.dump(answer, answers)
        answers.flush()


def _answer(
    function: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]
) -> tuple[bool, object]:
    try:
        return True, function(*args, **kwargs)
    except SourceError as error:
        return False, str(error)
    except Exception as error:  # whatever a hostile document provokes in a parser is that document's failure
        return False, f"the document cannot be read ({type(error).__name__}: {error})"


def _main() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not end up among the answers
    _serve(sys.stdin.buffer, answers)


_sandbox = Sandbox()
_queue = ThreadPoolExecutor(1, thread_name_prefix="parsing")

if __name__ == "__main__":
    _main()
else:
    atexit.register(_sandbox.close)
