"""Other processes and a dask cluster; real ones, waited for by events."""

import importlib
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import CancelledError
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from loading.loader_bench import expected, request, take_all
from napari_octree.config import OctreeConfig
from napari_octree.loading import ChunkLoader, TileState
from napari_octree.loading.cache.disk_cache import CachedOnDisk
from napari_octree.loading.dispatcher import Dispatcher
from napari_octree.loading.executors.dask import DaskExecutor
from napari_octree.loading.executors.processes import ProcessExecutor
from napari_octree.loading.executors.reader_process import ReaderProcess
from napari_octree.loading.testing import SimulatedSource, VirtualClock


def fails_in_the_first_row(region):
    return PermissionError("no") if region[0][0] == 0 else None


def dies_once(flag, region):
    """Kill the process that reads, but only the first time."""
    try:
        os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return None
    os._exit(1)


def dies(region):
    os._exit(1)


def notes_itself(folder, region):
    """Leave a file that says what was read, wherever that was."""
    (row, _), (column, _) = region
    open(f"{folder}/{row} {column}", "x").close()


def config(executor, **memory):
    return OctreeConfig(
        loader_defaults={"executor": executor},
        octree={"loaders": {0: {"num_workers": 2, "delay_queue_ms": 0}}},
        memory=memory,
    )


def load(loader, source):
    woken = threading.Event()
    client = loader.open(woken.set)
    client.replace([request(source, r, c, apron=0) for r in range(4) for c in range(5)])
    tiles = {}
    while client.pending:
        assert woken.wait(60)
        woken.clear()
        tiles |= {tile.key: tile for tile in take_all(client)}
    return tiles | {tile.key: tile for tile in take_all(client)}


def check(tiles, source, failed_rows=()):
    for (_, r, c), tile in tiles.items():
        if r in failed_rows:
            assert tile.state is TileState.FAILED
        else:
            np.testing.assert_array_equal(
                tile.data, expected(source, request(source, r, c, apron=0))
            )
    assert len(tiles) == 20


@pytest.fixture
def processes():
    loader = ChunkLoader(config("processes"))
    yield loader
    loader.close()


def test_processes_read(processes):
    source = SimulatedSource((32, 40), (8, 8), error=fails_in_the_first_row)
    check(load(processes, source), source, failed_rows=(0,))
    assert source.reads == []  # not in this process
    assert [f.cause for f in processes.failures] == ["PermissionError"]


def test_a_source_that_cannot_be_pickled_is_read_in_threads(processes):
    source = SimulatedSource((32, 40), (8, 8), error=lambda region: None)
    check(load(processes, source), source)
    assert len(source.reads) == 20


class Here:
    """Can be pickled, but not unpickled in another process, like a class of a user's script."""

    def __reduce__(self):
        return (made_here, (os.getpid(),))


def made_here(pid):
    if pid != os.getpid():
        raise AttributeError("no such class here")
    return Here()


def test_a_source_that_cannot_be_unpickled_is_read_in_threads(processes, caplog):
    source = SimulatedSource((32, 40), (8, 8))
    source.own = Here()
    with caplog.at_level(logging.WARNING, "napari_octree.loader"):
        check(load(processes, source), source)
    assert len(source.reads) == 20
    assert processes.failures == ()
    assert caplog.messages.count("simulated is read in threads: no such class here") == 1


def prints(region):
    print("reading", region)  # noqa: T201


def test_what_readers_print_goes_to_standard_error(processes, capfd, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # else nothing is ever kept back
    source = SimulatedSource((32, 40), (8, 8), error=prints)
    check(load(processes, source), source)
    processes.close()
    printed = capfd.readouterr()
    assert printed.out == ""
    assert set(printed.err.splitlines()) == {
        f"reading {source.grid(()).region((r, c))}" for r in range(4) for c in range(5)
    }


def test_a_process_that_dies_is_replaced(processes, tmp_path):
    source = SimulatedSource((32, 40), (8, 8), error=partial(dies_once, str(tmp_path / "died")))
    check(load(processes, source), source)
    assert processes.statistics.sources["simulated"].retries == 1


REGION = ((0, 8), (0, 8))


def waits_at(address, region):
    """Tell the test that the read is under way, and wait for its word."""
    with socket.create_connection(address) as test:
        test.recv(1)


@pytest.fixture
def gate():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(100)
        yield server


@pytest.fixture
def hung(gate):
    """One reading thread, whose process hangs until the test closes `connection`."""
    executor = ProcessExecutor(1)
    told, outcomes = threading.Event(), []

    def done(outcome):
        outcomes.append((outcome, threading.current_thread()))
        told.set()

    source = SimulatedSource((8, 8), (8, 8), error=partial(waits_at, gate.getsockname()))
    handle = executor.read(source, REGION, done)
    connection, _ = gate.accept()
    (process,) = executor._processes
    yield SimpleNamespace(
        executor=executor,
        handle=handle,
        process=process,
        connection=connection,
        source=source,
        told=told,
        outcomes=outcomes,
    )
    connection.close()
    executor.close(60)


def test_a_process_ends_with_its_thread_that_was_set_apart(hung):
    hung.executor.set_apart(hung.handle)
    assert hung.process._process.poll() is None  # its read may yet end well
    hung.connection.close()
    assert hung.told.wait(60)
    ((outcome, thread),) = hung.outcomes
    np.testing.assert_array_equal(outcome.pixels, hung.source.pixels_at(REGION))
    thread.join(60)
    assert hung.process._process.poll() is not None
    assert not hung.executor._processes


def test_a_process_that_hangs_for_good_is_killed_and_replaced(hung):
    hung.executor.time_out(hung.handle)
    assert hung.told.wait(60)
    ((outcome, _),) = hung.outcomes
    assert isinstance(outcome.error, ConnectionError)
    again, outcomes = threading.Event(), []
    source = SimulatedSource((8, 8), (8, 8))
    hung.executor.read(source, REGION, lambda outcome: (outcomes.append(outcome), again.set()))
    assert again.wait(60)
    np.testing.assert_array_equal(outcomes[0].pixels, source.pixels_at(REGION))
    assert outcomes[0].seconds > 0
    assert outcomes[0].busy_s is None  # what the process computed is not known here
    assert hung.process not in hung.executor._processes


def test_closing_ends_processes_that_hang(hung):
    hung.executor.close(0)
    assert hung.process._process.poll() is not None
    assert hung.told.wait(60)
    ((outcome, thread),) = hung.outcomes
    assert isinstance(outcome.error, ConnectionError)
    thread.join(60)
    assert not thread.is_alive()


def test_a_read_that_hangs_in_a_thread_is_timed_out_too():
    """A source that cannot go to a process: nothing can be killed, but another thread goes on."""
    executor = ProcessExecutor(1)
    entered, gate, read = threading.Event(), threading.Event(), threading.Event()

    def hangs(region):
        entered.set()
        assert gate.wait(60)

    handle = executor.read(
        SimulatedSource((8, 8), (8, 8), error=hangs), REGION, lambda outcome: None
    )
    assert entered.wait(30)
    executor.time_out(handle)
    executor.read(SimulatedSource((8, 8), (8, 8)), REGION, lambda outcome: read.set())
    assert read.wait(30)
    gate.set()
    executor.close(60)


@pytest.fixture
def executor():
    executor = ProcessExecutor(1)
    yield executor
    executor.close(60)


def read(executor, source):
    """Read, and return the handle and what became of it."""
    told, outcomes = threading.Event(), []
    handle = executor.read(source, REGION, lambda outcome: (outcomes.append(outcome), told.set()))
    assert told.wait(60)
    return handle, outcomes[0]


def test_of_a_process_that_dies_nothing_is_left(executor):
    read(executor, SimulatedSource((8, 8), (8, 8)))
    (process,) = executor._processes
    _, outcome = read(executor, SimulatedSource((8, 8), (8, 8), error=dies))
    assert isinstance(outcome.error, ConnectionError)
    assert process._process.returncode is not None  # or it would stay as a zombie
    assert process._process.stdin.closed
    assert process._process.stdout.closed
    assert not executor._processes


def test_to_time_out_a_read_that_has_ended_kills_nothing(executor):
    handle, _ = read(executor, SimulatedSource((8, 8), (8, 8)))
    executor.time_out(handle)
    (process,) = executor._processes
    assert process._process.poll() is None


class Picky(Exception):  # noqa: N818
    """Cannot be unpickled: its constructor takes other things than it keeps."""

    def __init__(self, what, why):
        super().__init__(f"{what}, as {why}")


def raises(error, region):
    raise Picky("no chunk", "it is late") if error is Picky else error("from a reader")


def test_whatever_a_reader_raises_is_told(executor):
    read(executor, SimulatedSource((8, 8), (8, 8)))
    (process,) = executor._processes
    for error, told in [
        (KeyError, "KeyError('from a reader')"),
        (SystemExit, "SystemExit('from a reader')"),
        (KeyboardInterrupt, "KeyboardInterrupt('from a reader')"),
        (ConnectionResetError, "ConnectionResetError('from a reader')"),
        (Picky, "RuntimeError('Picky: no chunk, as it is late')"),
    ]:
        source = SimulatedSource((8, 8), (8, 8), error=partial(raises, error))
        for _ in range(2):
            _, outcome = read(executor, source)
            assert repr(outcome.error) == told
            assert [*executor._processes] == [process]  # which has survived it


def test_a_process_that_nobody_can_ask_any_more_ends_without_a_word(capfd):
    process = ReaderProcess()
    process._process.stdin.close()
    assert process._process.wait(60) == 0
    process.kill()
    assert capfd.readouterr().err == ""


def test_processes_find_modules_where_this_one_does(executor, tmp_path, monkeypatch):
    code = "import os\n\ndef read(region):\n    return KeyError(os.getpid())\n"
    (tmp_path / "reader_of_a_user.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    own = importlib.import_module("reader_of_a_user").read
    _, outcome = read(executor, SimulatedSource((8, 8), (8, 8), error=own))
    (process,) = executor._processes
    assert outcome.error.args == (process._process.pid,)


def test_a_process_that_was_killed_says_so():
    process = ReaderProcess()
    process.kill()
    with pytest.raises(ConnectionError):
        process.read(SimulatedSource((8, 8), (8, 8)), REGION)


def test_an_interrupt_at_the_keyboard_does_not_end_reading_processes(capfd):
    """A terminal sends it to all processes; the parent alone answers it."""
    source = SimulatedSource((8, 8), (8, 8))
    process = ReaderProcess()
    for _ in range(2):
        np.testing.assert_array_equal(process.read(source, REGION), source.pixels_at(REGION))
        process._process.send_signal(signal.SIGINT)
    process.kill()
    assert "KeyboardInterrupt" not in capfd.readouterr().err


def check_the_disk_cache(executor, tmp_path):
    """Two sessions: chunks are read where the executor reads, and only in the first."""
    pytest.importorskip("diskcache")
    reads = tmp_path / "reads"
    reads.mkdir()
    source = SimulatedSource(
        (32, 40),
        (8, 8),
        key="https://example.org/a.zarr/0",
        is_remote=True,
        error=partial(notes_itself, str(reads)),
    )
    for _ in range(2):
        loader = ChunkLoader(config(executor, disk_bytes=2**24, disk_path=tmp_path / "cache"))
        check(load(loader, source), source)
        loader.close()
        assert source.reads == []
        assert loader.failures == ()
        assert len(list(reads.iterdir())) == 20


def test_processes_read_what_is_not_on_disk(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "napari_octree.loader"):
        check_the_disk_cache("processes", tmp_path)
    assert caplog.messages == []


SCRIPT = """
import os, sys
from functools import partial
from loading.loader_bench import request
from loading.test_executors import config, waits_at
from napari_octree.loading import default_loader
from napari_octree.loading.scheduling import reads
from napari_octree.loading.testing import SimulatedSource

reads.OVERDUE_S = 1e9  # however slowly they start, no others are started in their place
source = SimulatedSource((32, 40), (8, 8), error=partial(waits_at, {address}))
client = default_loader(config("processes")).open(lambda: None)
client.replace([request(source, r, c) for r in range(4) for c in range(5)])
sys.stdin.readline()
{ending}
"""


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("pass", 0),
        ("sys.exit(3)", 3),
        ("raise KeyboardInterrupt", -2),
        ("os.kill(os.getpid(), 9)", -9),
    ],
)
def test_processes_end_with_the_interpreter(gate, ending, code):
    tests = __file__.rsplit("loading", 1)[0]
    parent = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(address=gate.getsockname(), ending=ending)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([tests, *filter(None, sys.path)])},
    )
    reading = [gate.accept()[0] for _ in range(2)]
    parent.stdin.write("go\n")
    parent.stdin.flush()
    assert parent.wait(60) in (code, 130 if code == -2 else code)
    for connection in reading:
        connection.settimeout(60)
        if code == -9:  # nobody was left to end them: they end after their reads
            connection.close()
        else:
            assert connection.recv(1) == b""
    printed = parent.stderr.read()  # to the end: no process is left that could print more
    assert printed.count("Traceback") == (code == -2), printed
    assert printed.endswith("KeyboardInterrupt\n" if code == -2 else ""), printed
    assert code == -2 or printed == ""


@pytest.mark.parametrize("part", [1, 100_000])
def test_a_process_whose_parent_died_as_it_asked_says_nothing(part):
    question = pickle.dumps(pickle.dumps((np.zeros(10**6, "u1"), REGION), protocol=5), protocol=5)
    script = "from napari_octree.loading.executors.reader_process import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", script],
        input=question[:part],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        check=True,
        timeout=100,
    )
    assert (ended.stdout, ended.stderr) == (b"", b"")


@pytest.fixture
def cluster():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_a_dask_cluster_reads(cluster):
    loader = ChunkLoader(config("dask"))
    source = SimulatedSource((32, 40), (8, 8), error=fails_in_the_first_row)
    check(load(loader, source), source, failed_rows=(0,))
    loader.close()


def test_a_dask_cluster_reads_what_is_not_on_disk(cluster, tmp_path):
    check_the_disk_cache("dask", tmp_path)


def test_a_dask_cluster_fails_what_is_not_on_disk_either(cluster, tmp_path):
    pytest.importorskip("diskcache")
    source = SimulatedSource(
        (32, 40),
        (8, 8),
        key="https://example.org/a.zarr/0",
        is_remote=True,
        error=fails_in_the_first_row,
    )
    for _ in range(2):
        loader = ChunkLoader(config("dask", disk_bytes=2**24, disk_path=tmp_path / "cache"))
        check(load(loader, source), source, failed_rows=(0,))
        loader.close()


def test_what_is_cancelled_while_the_disk_is_looked_at_is_not_read(cluster):
    entered, gate, told = threading.Event(), threading.Event(), threading.Event()
    outcomes = []

    class Disk:
        def forgotten(self, storage):
            return 0

        def find(self, storage, region):
            entered.set()
            assert gate.wait(30)

    Gate.open.clear()
    executor = DaskExecutor(1, cluster)
    source = SimulatedSource((8, 8), (8, 8), error=waits)
    handle = executor.read(
        CachedOnDisk(source, Disk()),
        REGION,
        lambda outcome: (outcomes.append(outcome), told.set()),
    )
    assert entered.wait(30)
    executor.cancel(handle)
    gate.set()
    assert told.wait(30)
    assert isinstance(outcomes[0].error, CancelledError)
    Gate.open.set()
    executor.close(30)


class Gate:
    """Shared by all copies in this process, as a pickled event could not be."""

    entered = threading.Semaphore(0)
    open = threading.Event()


def waits(region):
    Gate.entered.release()
    assert Gate.open.wait(30)


def test_futures_that_left_the_list_are_cancelled(cluster):
    Gate.open.clear()
    executor = DaskExecutor(2, cluster)
    dispatcher = Dispatcher(VirtualClock())
    loader = ChunkLoader(config("dask"), executor=executor, dispatcher=dispatcher)
    woken = threading.Event()
    client = loader.open(woken.set)
    source = SimulatedSource((32, 40), (8, 8), error=waits)
    client.replace([request(source, 0, 0)])
    assert Gate.entered.acquire(timeout=30)
    (job,) = dispatcher.scheduler.reads.running
    cancelled = threading.Event()
    future = job.handle.future
    future.add_done_callback(lambda future: cancelled.set())
    client.replace([])
    assert cancelled.wait(30)
    assert future.cancelled()
    Gate.open.set()
    client.replace([request(source, 0, 0)])
    while client.pending:
        assert woken.wait(30)
        woken.clear()
    assert client.take() is not None
    loader.close()


def test_no_thread_waits_for_the_cluster(cluster):
    Gate.open.clear()
    executor = DaskExecutor(1, cluster)
    source = SimulatedSource((8, 8), (8, 8), error=waits)
    read, free, outcomes = threading.Event(), threading.Event(), []
    executor.read(source, REGION, lambda outcome: (outcomes.append(outcome), read.set()))
    assert Gate.entered.acquire(timeout=30)
    executor.run(free.set)
    assert free.wait(30)
    assert not read.is_set()
    Gate.open.set()
    assert read.wait(30)
    (outcome,) = outcomes
    assert outcome.seconds > outcome.busy_s == 0  # it takes no processor of this process
    executor.close(30)


@pytest.mark.parametrize("verb", ["cancel", "time_out"])
def test_a_cancelled_future_is_told_as_such(cluster, verb):
    Gate.open.clear()
    executor = DaskExecutor(1, cluster)
    source = SimulatedSource((8, 8), (8, 8), error=waits)
    told, outcomes = threading.Event(), []
    handle = executor.read(source, REGION, lambda outcome: (outcomes.append(outcome), told.set()))
    assert Gate.entered.acquire(timeout=30)
    getattr(executor, verb)(handle)
    assert told.wait(20)
    assert isinstance(outcomes[0].error, CancelledError)
    Gate.open.set()
    executor.close(30)


def test_a_cluster_reads_again_what_it_has_read_before(cluster, tmp_path):
    """What has failed must not be handed out again when it is tried again."""
    executor = DaskExecutor(1, cluster)
    source = SimulatedSource((8, 8), (8, 8), error=partial(notes_itself, str(tmp_path)))
    reads = [read(executor, source) for _ in range(2)]  # of which the handles stay
    first, second = (outcome for _, outcome in reads)
    assert first.error is None
    assert isinstance(second.error, FileExistsError)
    executor.close(30)


def test_dask_without_a_client_is_a_failure_that_says_so():
    loader = ChunkLoader(config("dask"))
    source = SimulatedSource((8, 8), (8, 8))
    woken = threading.Event()
    client = loader.open(woken.set)
    client.replace([request(source, 0, 0)])
    while client.pending:
        assert woken.wait(30)
        woken.clear()
    assert client.take().state is TileState.FAILED
    assert "client" in loader.failures[0].message.lower()
    loader.close()


def test_a_dask_client_that_was_closed_is_followed_by_the_next_one(cluster):
    distributed = pytest.importorskip("distributed")
    executor = DaskExecutor(1)
    source = SimulatedSource((8, 8), (8, 8))
    for _ in range(2):
        with distributed.Client(cluster.cluster):
            _, outcome = read(executor, source)
        assert outcome.error is None
        np.testing.assert_array_equal(outcome.pixels, source.pixels_at(REGION))
    executor.close(30)


def test_a_loop_that_has_ended_fails_the_read(cluster, monkeypatch):
    def ended(*call):
        raise RuntimeError("the loop is closed")

    executor = DaskExecutor(1)
    monkeypatch.setattr(cluster.loop, "add_callback", ended)
    _, outcome = read(executor, SimulatedSource((8, 8), (8, 8)))
    assert "the loop is closed" in str(outcome.error)
    executor.cancel(executor.read(SimulatedSource((8, 8), (8, 8)), REGION, lambda outcome: None))
    monkeypatch.undo()
    executor.close(30)
