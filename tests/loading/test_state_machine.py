"""Promises 5 (bounded), 6 (latest wins) and 7 (survives), after every step of random stories.

Two loaders of unequal settings share what loaders share; either may be closed at any time.
"""

import numpy as np
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)

from loading.loader_bench import expected, request
from loading.test_states import drawn
from loading.watched_states import transitions
from napari_octree.config import OctreeConfig
from napari_octree.loading import ChunkLoader, Pace, TileState
from napari_octree.loading.dispatcher import Dispatcher
from napari_octree.loading.scheduling.model import ChunkState, Stage
from napari_octree.loading.scheduling.pools import RUSHING_FACTOR
from napari_octree.loading.scheduling.reads import OVERDUE_S
from napari_octree.loading.testing import SimulatedSource, VirtualClock, VirtualExecutor
from napari_octree.loading.work import ReadOutcome
from napari_octree.octree.chunk_key import Tier

CHUNK = 8
PIXELS = (24, 32)
READ_LIMIT_S = 20.0


class User:
    """A client, and what the test knows about it."""

    def __init__(self, loader):
        self.loader = loader
        self.client = loader.open(self.woken)
        self.wishes = {}
        self.final = set()
        self.closed = False

    def woken(self):
        assert not self.closed


class WatchedExecutor(VirtualExecutor):
    """Checks every read as it starts."""

    def __init__(self, users, open_regions):
        super().__init__(assemble_at_once=False)
        self.users = users
        self.open_regions = open_regions
        self.cache = None

    def read(self, storage, region, done):
        name = (storage.key, region)
        assert name not in self.open_regions, "read twice at once"
        assert self.cache.peek(name) is None, "read although it is cached"
        assert any(
            wish.source.storage is storage and touches(wish.region, region)
            for user in self.users
            for wish in user.wishes.values()
        ), "read although nobody wishes for it"
        self.open_regions.add(name)
        return super().read(storage, region, done)

    def close(self, wait_s):
        """Leave everything undone, as workers do that are held up for longer than `wait_s`."""
        for read in self.reads:
            self.open_regions.discard((read.storage.key, read.region))
        super().close(wait_s)


def touches(one, two):
    return all(a < d and c < b for (a, b), (c, d) in zip(one, two, strict=True))


wish_strategy = st.tuples(
    st.sampled_from(["one", "two"]),
    st.sampled_from([4, 8, 12]),
    st.integers(0, 1),
    st.integers(0, 1),
    st.sampled_from(list(Tier)),
    st.integers(0, 3),
    st.integers(0, 1),
)


class LoaderMachine(RuleBasedStateMachine):
    users = Bundle("users")

    @initialize(
        limits=st.tuples(*[st.sampled_from([4_000, 8_000, 100_000])] * 2),
        workers=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    )
    def start(self, limits, workers):
        self.watching = transitions(drawn(Stage) | drawn(ChunkState))
        self.watching.__enter__()
        self.clock = VirtualClock()
        self.opened = []
        self.used = 0
        self.dispatcher = Dispatcher(self.clock, READ_LIMIT_S, seed=1, processors=2)
        self.loaders = []
        open_regions = set()
        for limit, number in zip(limits, workers, strict=True):
            config = OctreeConfig(
                loader_defaults={"num_workers": number, "auto_sync_ms": 30},
                octree={
                    "loaders": {
                        0: {"delay_queue_ms": 100, "num_workers": number},
                        2: {"delay_queue_ms": 0, "num_workers": number},
                    }
                },
            )
            executor = WatchedExecutor(self.opened, open_regions)
            executor.cache = self.dispatcher.cache
            loader = ChunkLoader(config, dispatcher=self.dispatcher, executor=executor)
            loader._settings.ram_bytes = limit
            self.loaders.append(loader)
        self.sources = {
            key: SimulatedSource(PIXELS, (CHUNK, CHUNK), key=key) for key in ("one", "two")
        }

    @property
    def executors(self):
        return [loader._workers.executor for loader in self.loaders]

    @property
    def reads(self):
        return [read for executor in self.executors for read in executor.reads]

    @property
    def works(self):
        return [work for executor in self.executors for work in executor.works]

    def work(self):
        next(executor.works for executor in self.executors if executor.works).pop(0)()

    # ---- what users do ---------------------------------------------------------------------

    @precondition(lambda self: self.loaders)
    @rule(target=users, data=st.data())
    def open(self, data):
        user = User(data.draw(st.sampled_from(self.loaders)))
        self.opened.append(user)
        return user

    @rule(user=users, wishes=st.lists(wish_strategy, max_size=12))
    def replace(self, user, wishes):
        self.set_wishes(user, [self.request(*wish) for wish in wishes])

    @rule(user=users, drop=st.integers(0, 4), order=st.randoms(use_true_random=False))
    def shift(self, user, drop, order):
        wishes = list(user.wishes.values())[drop:]
        order.shuffle(wishes)
        self.set_wishes(user, wishes)

    @rule(user=users)
    def take(self, user):
        self.take_one(user)

    @rule(user=users, pace=st.sampled_from(Pace))
    def move(self, user, pace):
        user.client.pace = pace

    @rule(user=users)
    def retry(self, user):
        user.client.retry()

    @precondition(lambda self: self.loaders)
    @rule(name=st.sampled_from(["one", "two"]))
    def forget(self, name):
        self.loaders[0].forget(name)

    @precondition(lambda self: len(self.loaders) > 1 and (self.works or self.reads))
    @rule(data=st.data())
    def close_a_loader(self, data):
        at_work = [e.works or e.reads for e in self.executors]
        gone = self.loaders.pop(data.draw(st.sampled_from([i for i in (0, 1) if at_work[i]])))
        for user in self.opened:
            if user.loader is gone:
                user.wishes, user.closed = {}, True
        gone.close()

    @rule(user=consumes(users))
    def close(self, user):
        before = self.others_lists(user)
        user.wishes = {}
        user.closed = True
        user.client.close()
        assert self.others_lists(user) == before, "one client's end has cancelled another's wishes"

    # ---- what the store does ---------------------------------------------------------------

    @precondition(lambda self: self.reads)
    @rule(data=st.data(), seconds=st.sampled_from([0.001, 0.05]))
    def read_arrives(self, data, seconds):
        self.end_read(data.draw(st.sampled_from(self.reads)), None, seconds)

    @precondition(lambda self: self.reads)
    @rule(
        data=st.data(),
        error=st.sampled_from(
            [
                TimeoutError(),
                ConnectionError(),
                PermissionError(),
                ValueError(),
                KeyboardInterrupt(),
            ]
        ),
    )
    def read_fails(self, data, error):
        self.end_read(data.draw(st.sampled_from(self.reads)), error, 0.01)

    @precondition(lambda self: self.works)
    @rule()
    def assemble(self):
        self.work()

    @rule(seconds=st.sampled_from([0.05, 0.1, 1.0]))
    def time_passes(self, seconds):
        self.advance(seconds)

    @precondition(lambda self: self.reads)
    @rule(seconds=st.sampled_from([OVERDUE_S, READ_LIMIT_S]))
    def reads_hang(self, seconds):
        self.advance(seconds)

    # ---- how it is done --------------------------------------------------------------------

    def request(self, name, size, row, column, tier, relative_level, apron):
        return request(
            self.sources[name],
            row,
            column,
            size=size,
            tier=tier,
            relative_level=relative_level,
            apron=apron,
            key=(name, size, row, column, apron),
        )

    def set_wishes(self, user, wishes):
        if user.closed:
            wishes = []
        before = self.others_lists(user)
        user.wishes = {}
        for wish in wishes:
            user.wishes.setdefault(wish.key, wish)
        user.final &= set(user.wishes)
        user.client.replace(wishes)
        assert self.others_lists(user) == before, "one client has cancelled another's wishes"

    def others_lists(self, user):
        return [
            {id(tile) for tile in other.client._list.tiles.values()}
            for other in self.opened
            if other is not user
        ]

    def take_one(self, user):
        tile = user.client.take()
        if tile is None:
            return False
        wish = user.wishes[tile.key]  # never something that left the list
        if tile.state is TileState.FAILED:
            assert tile.data is None
            assert tile.key in user.client.failed
            return True
        assert tile.key not in user.final, "delivered again although it was complete"
        a = wish.apron[0]
        whole = expected(wish.source.storage, wish)
        core = tuple(slice(a, n - a) for n in whole.shape)
        assert tile.data.shape == whole.shape
        np.testing.assert_array_equal(tile.data[core], whole[core])
        if tile.complete:
            np.testing.assert_array_equal(tile.data, whole)
            user.final.add(tile.key)
        return True

    def end_read(self, read, error, seconds):
        self.end_of(read)
        if error is None:
            read.done(ReadOutcome(read.storage.pixels_at(read.region), None, seconds))
        else:
            read.done(ReadOutcome(None, error, seconds))

    def end_of(self, read):
        executor = next(e for e in self.executors if read in e.reads)
        executor.reads.remove(read)
        executor.open_regions.discard((read.storage.key, read.region))

    def advance(self, seconds):
        until = self.clock.time + seconds
        while (due := self.clock.next_call) is not None and due <= until:
            # A read that is given up may be started anew in the same moment.
            late = {
                read
                for read in self.reads
                if self.started(read) is not None and self.started(read) + READ_LIMIT_S <= due
            }
            for read in late:
                self.end_of(read)
            self.clock.advance(max(due - self.clock.time, 0))
        self.clock.advance(until - self.clock.time)

    def started(self, read):
        for job in self.dispatcher.scheduler.reads.running:
            if job.handle is read:
                return job.started
        return None

    # ---- what always holds -----------------------------------------------------------------

    @invariant()
    def memory_is_bounded(self):
        cache = self.dispatcher.cache
        limits = [user.loader._settings.ram_bytes for user in self.opened if not user.closed]
        if limits:
            assert cache.limit_bytes == min(limits)
        used = cache.cached_bytes + cache.reserved_bytes
        # A limit that has come down holds as soon as what was on its way then has been taken.
        assert used <= max(cache.limit_bytes, self.used)
        self.used = used
        entries = cache._entries.values()
        assert cache.cached_bytes == sum(entry.nbytes for entry in entries)
        assert cache.held_bytes == sum(entry.nbytes for entry in entries if entry.holds)
        counts = self.dispatcher.statistics
        reading = sum(read.storage.pixels_at(read.region).nbytes for read in self.reads)
        staged = sum(
            tile.result.data.nbytes
            for user in self.opened
            for tile in user.client._list.staged
            if tile.result is not None and tile.result.data is not None
        )
        assert counts.staged_bytes == staged
        assert counts.in_flight_bytes >= reading
        assert cache.reserved_bytes >= reading + staged

    @invariant()
    def counts_are_right(self):
        for user in self.opened:
            tiles = user.client._list.tiles.values()
            unfinished = {Stage.LISTED, Stage.ADMITTED, Stage.ASSEMBLING}
            assert user.client.pending == sum(
                (tile.stage in unfinished or tile.improving) and tile.request.tier.awaited
                for tile in tiles
            )
            running = {job.tile for job in self.dispatcher.scheduler.assemblies.running}
            about_to = {*user.client._list.ready, *running}
            assert {tile for tile in tiles if tile.improving} <= about_to
            assert set(user.wishes) == {tile.request.key for tile in tiles}
            for tile in tiles:
                assert tile.waiting == sum(not chunk.available for chunk in tile.chunks)

    @invariant()
    def only_what_is_listed_is_held_back(self):
        assemblies = self.dispatcher.scheduler.assemblies
        held = {(chunk_id, tile) for tile, chunk_id in assemblies._waiting._tiles.items()}
        watched = [
            (i, tile) for i, tiles in assemblies._waiting._watched.items() for tile in tiles
        ]
        assert len(watched) == len(held)
        assert set(watched) == held
        assert all(tile.listed and tile.stage is Stage.ADMITTED for _, tile in held)

    @invariant()
    def workers_are_counted(self):
        assert self.dispatcher.statistics.reading == len(self.reads)
        for loader in self.loaders:
            running = len(loader._workers.executor.reads)
            assert running == sum(pool.running + pool.overdue for pool in loader._settings.pools)
            for pool in loader._settings.pools:
                assert pool.running <= pool.num_workers
                assert pool.running + pool.overdue <= 2 * pool.num_workers

    @invariant()
    def room_is_used(self):
        """With idle workers and nothing under way no wish that is due waits."""
        cache = self.dispatcher.cache
        if self.reads or self.works or cache.reserved_bytes:
            return
        now = self.clock.time
        for user in self.opened:
            delay_s = 0.1 * (RUSHING_FACTOR if user.client.pace is Pace.RUSHING else 1)
            for tile in user.client._list.tiles.values():
                if tile.stage is Stage.LISTED and tile.request.tier.awaited:
                    assert tile.waiting
                    until = max(chunk.not_before for chunk in tile.chunks)
                    assert tile.since + delay_s > now or until > now

    def teardown(self):
        if not hasattr(self, "loaders"):
            return
        try:
            self.end()
        finally:
            self.watching.__exit__(None, None, None)

    def end(self):
        for steps_left in reversed(range(2_000)):
            assert steps_left, "it goes on for ever"
            taken = [self.take_one(user) for user in self.opened if not user.closed]
            if self.works:
                self.work()
            elif self.reads:
                self.end_read(self.reads[0], None, 0.01)
            elif self.clock.next_call is not None:
                self.advance(max(self.clock.next_call - self.clock.time, 0))
            elif not any(taken):
                break
            self.memory_is_bounded()
            self.counts_are_right()
        for user in self.opened:
            assert user.client.pending == 0
        assert self.clock.next_call is None, "idle, but something is scheduled"
        for user in self.opened:
            user.client.close()
            user.wishes = {}
        while self.reads:  # prefetching, which the closing of others made room for
            self.end_read(self.reads[0], None, 0.01)
        while self.works:
            self.work()
        scheduler = self.dispatcher.scheduler
        assert not scheduler.working_set.chunks
        assert not len(scheduler.assemblies.gaps)
        assert not scheduler.assemblies._waiting._watched
        assert not scheduler.reads.running
        assert not scheduler.assemblies.running
        assert self.dispatcher.cache.reserved_bytes == 0
        assert self.dispatcher.cache.held_bytes == 0
        assert all(s.concurrency.running == 0 for _, s in scheduler.working_set.sources.items())
        for loader in self.loaders:
            loader.close()


TestLoader = LoaderMachine.TestCase
TestLoader.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
