"""Replaces test workers that have grown: XLA keeps what it compiles for the life of a process.

These are hooks of pytest-xdist's controller. Without `--dist loadfile` they do nothing.
"""

import pathlib
import re

import pytest
from xdist.scheduler import LoadFileScheduling

LIMIT = 1_100_000  # [kB]; a worker begins with a third of it; what tests start comes on top
_STARTED = 2  # The test that a worker runs and the next one are no longer in its queue.


def anonymous_memory(process_id: int) -> int:
    """Returns the memory that only this process has, [kB], and 0 once it has ended."""
    try:
        status = pathlib.Path(f"/proc/{process_id}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = re.search(r"^RssAnon:\s*(\d+)", status, re.MULTILINE)
    return int(found[1]) if found else 0


class FreshWorkers(LoadFileScheduling):
    """Hands out files; a worker that has grown returns the tests it has not begun, and ends."""

    def mark_test_complete(self, node, item_index, duration=0):
        super().mark_test_complete(node, item_index, duration)
        rest = self._pending_tests(node)[_STARTED:]
        if node.shutting_down or not self._has_grown(node):
            return
        if rest:
            node.send_steal([self.registered_collections[node].index(test) for test in rest])
        elif self.workqueue:
            node.shutdown()

    def remove_pending_tests_from_node(self, node, indices):
        """Queues the tests that a worker returned: none if it had begun one of them."""
        for index in indices:
            test = self.registered_collections[node][index]
            file = self._split_scope(test)
            del self.assigned_work[node][file][test]
            self.workqueue.setdefault(file, {})[test] = False
            self.workqueue.move_to_end(file, last=False)
        if indices:
            node.shutdown()

    def _reschedule(self, node):
        # The original hands files to workers that are still collecting. They cannot take any.
        if node not in self.registered_collections:
            return
        # It also tells workers to end once the queue is empty. They would return nothing.
        if self.workqueue or len(self._pending_tests(node)) <= _STARTED:
            super()._reschedule(node)

    def _pending_tests(self, node):
        files = self.assigned_work[node].values()
        return [test for tests in files for test, is_done in tests.items() if not is_done]

    def _has_grown(self, node):
        return anonymous_memory(node.gateway._rinfo().pid) > LIMIT


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return FreshWorkers(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """Ends the process of a worker that is done, and starts another if tests are left."""
    session = node.config.pluginmanager.getplugin("dsession")
    if not isinstance(session.sched, FreshWorkers):
        return
    if error or node.workeroutput["exitstatus"] == pytest.ExitCode.INTERRUPTED:
        return  # pytest-xdist replaces it
    node.gateway.exit()
    if session.sched.workqueue and not session.shuttingdown:
        session._clone_node(node)
