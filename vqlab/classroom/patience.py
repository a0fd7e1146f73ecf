"""What a check does when an answer does not end: interrupt it after a while, and say how to stop it by hand."""

import contextvars
import signal
import threading
from _thread import interrupt_main

from IPython.display import display

from vqlab.classroom.language import lines

STUBBORN = ("运行已超过 {0:g} 秒，自动停不下来。请按工具栏上的 ■（菜单 Kernel → Interrupt Kernel）；"
            "还不停，就重启：Kernel → Restart Kernel。",
            "Running for more than {0:g} seconds, and it cannot be stopped from here. Press ■ in the toolbar "
            "(menu Kernel → Interrupt Kernel); if it still runs, restart: Kernel → Restart Kernel.")


class OutOfPatience(Exception):
    """The body of a `Patience` took too long and was stopped."""


class Patience:
    """A context whose body is interrupted if it takes longer than some seconds; it then raises `OutOfPatience`.

    A thread waits beside the body. On the main thread, where a notebook's cells run, it interrupts as ■ does, with
    SIGINT (on Windows by `interrupt_main`), so loops and sleeping calls end on every system; code in C ends at its
    next return to Python. Where that is of no use within a second, or on another thread, it displays how to stop.
    An interrupt by hand stays a KeyboardInterrupt.

    Args:
        seconds: how long the body may take.
        grace: seconds to wait for the interrupt to work, before another, and before saying that it does not.
    """

    def __init__(self, seconds: float, grace: float = 1.0):
        self.seconds, self.grace = seconds, grace
        self.interrupted = False
        self._ended, self._lock = threading.Event(), threading.Lock()

    def __enter__(self) -> "Patience":
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:  # event loops install handlers of their own that only ask nicely
            self._handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        context = contextvars.copy_context()  # what is displayed belongs to this cell
        threading.Thread(target=context.run, args=(self._watch,), daemon=True).start()
        return self

    def __exit__(self, kind, error, trace) -> None:
        with self._lock:  # from here on no interrupt is sent
            self._ended.set()
        if self._main:
            signal.signal(signal.SIGINT, self._handler or signal.SIG_DFL)
        if kind is KeyboardInterrupt and self.interrupted:
            raise OutOfPatience(f"expected an answer within {self.seconds} seconds, got none") from None

    def _watch(self) -> None:
        told, wait = False, self.seconds
        while not self._ended.wait(wait):
            if (self.interrupted or not self._main) and not told:
                zh, en = (text.format(self.seconds) for text in STUBBORN)
                display({"text/html": lines(zh, en), "text/plain": f"{zh} {en}"}, raw=True)
                told = True
            self._interrupt()
            wait = self.grace

    def _interrupt(self) -> None:
        with self._lock:
            if self._ended.is_set() or not self._main:
                return
            self.interrupted = True
            if hasattr(signal, "pthread_kill"):  # wakes what sleeps in C, too
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            else:
                interrupt_main()
