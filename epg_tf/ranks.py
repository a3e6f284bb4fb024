"""The ranks: processes that share n workers. The only module that imports Horovod, but for --np.

Every rank must make the same calls in the same order. Ranks exchange a few numbers per worker and
epoch. They never exchange parameters, since every rank can compute them all.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
import tensorflow as tf

try:
    import horovod.tensorflow as hvd
    from horovod.common.exceptions import HorovodInternalError
except ImportError:  # the extra "horovod" is not installed: one process
    hvd: Any = None
    HorovodInternalError = tf.errors.UnknownError

# Variables by which launchers give the number of processes: horovodrun, mpirun and srun.
_LAUNCHERS = ("HOROVOD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS")


class RankLost(RuntimeError):
    """Another rank has ended, or has not answered for too long."""


class Ranks:
    """This process among the others; without a launcher it is the only one.

    Attributes:
        rank: The number of this process, from 0.
        size: The number of processes.
        local_rank: The number of this process on its host, from 0.
        local_size: The number of processes on its host.
    """

    def __init__(self):
        """Joins the other ranks, and takes this rank's share of the host.

        TensorFlow gets one thread per rank, since ranks share the cores of a host. So sums do not
        depend on the number of cores either. With GPUs, rank r takes GPU r modulo their
        number and allocates memory as needed.

        Raises:
            SystemExit: If a launcher's variables are set and Horovod would not join its processes.
        """
        self.rank, self.size, self.local_rank, self.local_size = 0, 1, 0, 1
        if hvd is not None:
            _refuse_a_launcher_that_is_gone()
            hvd.init()
            self.rank, self.size = hvd.rank(), hvd.size()
            self.local_rank, self.local_size = hvd.local_rank(), hvd.local_size()
        if self.size == 1:
            _refuse_launchers()
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        gpus = tf.config.list_physical_devices("GPU")
        if gpus:
            gpu = gpus[self.local_rank % len(gpus)]
            tf.config.set_visible_devices(gpu, "GPU")
            tf.config.experimental.set_memory_growth(gpu, True)
        _let_compiler_announce_itself()

    @property
    def is_first(self) -> bool:
        """True for the rank that writes files and prints."""
        return self.rank == 0

    def share(self, num_workers: int, name: str = "num_workers") -> range:
        """Returns the workers of this rank: a contiguous share, as even as possible.

        Args:
            num_workers: The number of workers of all ranks.
            name: The setting of their number, for the error.

        Raises:
            ValueError: If there are more ranks than workers.
        """
        if num_workers < self.size:
            raise ValueError(
                f"`{name}` (={num_workers}) must be at least the number of ranks (={self.size})."
            )
        each, more = divmod(num_workers, self.size)
        start = self.rank * each + min(self.rank, more)
        return range(start, start + each + (self.rank < more))

    def allgather(self, array: np.ndarray) -> np.ndarray:
        """Stacks all ranks' arrays along the first axis, in rank order."""
        if self.size == 1:
            return array
        with self._together(), tf.device("CPU:0"):
            return hvd.allgather(tf.constant(array)).numpy()

    def gather(self, value: Any) -> list[Any]:
        """Returns all ranks' values in rank order; any picklable type."""
        with self._together():
            return [value] if self.size == 1 else hvd.allgather_object(value)

    def broadcast(self, value: Any) -> Any:
        """Returns rank 0's value on every rank; any picklable type."""
        with self._together():
            return value if self.size == 1 else hvd.broadcast_object(value, 0)

    @contextlib.contextmanager
    def _together(self) -> Iterator[None]:
        try:
            yield
        except (HorovodInternalError, tf.errors.UnknownError) as error:
            raise RankLost(
                f"rank {self.rank} of {self.size} ends because another one has ended, or has not "
                "answered for HOROVOD_GLOO_TIMEOUT_SECONDS "
                f"(={os.environ.get('HOROVOD_GLOO_TIMEOUT_SECONDS', '30')}); the same command goes "
                "on from the last checkpoint."
            ) from error

    def threads(self, wanted: int | None = None) -> int:
        """Returns the number of threads of this rank's workers; 0 for the main thread alone.

        Args:
            wanted: The user's setting; None for this rank's share of the host's cores.
        """
        cores = len(os.sched_getaffinity(0)) // self.local_size
        share = cores if cores > 1 else 0
        return share if wanted is None else wanted


def _refuse_a_launcher_that_is_gone() -> None:
    """Exits if Horovod would wait for ever for a launcher, whose variables have stayed behind."""
    size, address = (os.environ.get(f"HOROVOD_{name}") for name in ("SIZE", "GLOO_RENDEZVOUS_ADDR"))
    if size is not None and address is None:
        _refuse("HOROVOD_SIZE", "not be set without horovodrun")


def _refuse_launchers() -> None:
    """Exits if a launcher started several processes: each would repeat the same run."""
    for name in _LAUNCHERS:
        if os.environ.get(name, "1") != "1":
            without = "is not installed, as the extra epg_tf[horovod]"
            no_mpi = "was built without MPI: start the ranks with horovodrun"
            _refuse(name, f"be 1 where Horovod {without if hvd is None else no_mpi}")


def _refuse(name: str, rule: str) -> NoReturn:
    print(f"epg_tf: `{name}` (={os.environ[name]}) must {rule}.", file=sys.stderr)
    raise SystemExit(2)


def _let_compiler_announce_itself() -> None:
    """Triggers XLA's one-time banner with stderr redirected to /dev/null.

    It may show where the user set XLA_FLAGS. XLA ends the process over a flag that it does not
    know, and its last words name the flag.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    has_flags_of_the_user = os.environ.get("XLA_FLAGS", "").count("--") > 1
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(terminal if has_flags_of_the_user else nowhere.fileno(), 2)
            tf.function(tf.square, jit_compile=True)(tf.constant(1.0))
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
