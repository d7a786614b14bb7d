"""Promises 5 (bounded), 6 (latest wins) and 7 (survives), after every step of random stories."""

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
from napari_octree.config import OctreeConfig
from napari_octree.loading import ChunkLoader, Pace, TileState
from napari_octree.loading.dispatcher import Dispatcher
from napari_octree.loading.jobs import ReadOutcome
from napari_octree.loading.testing import SimulatedSource, VirtualClock, VirtualExecutor
from napari_octree.loading.working_set import Stage
from napari_octree.octree.chunk_key import Tier

CHUNK = 8
PIXELS = (24, 32)
READ_LIMIT_S = 20.0


class User:
    """A client, and what the test knows about it."""

    def __init__(self, loader):
        self.client = loader.open(self.woken)
        self.wishes = {}
        self.final = set()
        self.closed = False

    def woken(self):
        assert not self.closed


class WatchedExecutor(VirtualExecutor):
    """Checks every read as it starts."""

    def __init__(self):
        super().__init__(assemble_at_once=False)
        self.users = []
        self.cache = None
        self.open_regions = set()

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
        pending = super().read(storage, region, done)
        return pending


def touches(one, two):
    return all(a < d and c < b for (a, b), (c, d) in zip(one, two, strict=True))


wish_strategy = st.tuples(
    st.sampled_from(["one", "two"]),
    st.sampled_from([4, 8, 12]),
    st.integers(0, 1),
    st.integers(0, 1),
    st.sampled_from(list(Tier)),
    st.integers(0, 3),
)


class LoaderMachine(RuleBasedStateMachine):
    users = Bundle("users")

    @initialize(limit=st.sampled_from([4_000, 8_000, 100_000]), workers=st.integers(1, 4))
    def start(self, limit, workers):
        config = OctreeConfig(
            loader_defaults={"num_workers": workers, "auto_sync_ms": 30},
            octree={
                "loaders": {
                    0: {"delay_queue_ms": 100, "num_workers": workers},
                    2: {"delay_queue_ms": 0, "num_workers": workers},
                }
            },
        )
        self.clock = VirtualClock()
        self.executor = WatchedExecutor()
        self.dispatcher = Dispatcher(self.clock, READ_LIMIT_S, seed=1)
        self.loader = ChunkLoader(config, dispatcher=self.dispatcher, executor=self.executor)
        self.limit = limit
        self.loader._crew.ram_bytes = limit
        self.executor.cache = self.loader.cache
        self.sources = {
            key: SimulatedSource(PIXELS, (CHUNK, CHUNK), key=key) for key in ("one", "two")
        }
        self.opened = []

    # ---- what users do ---------------------------------------------------------------------

    @rule(target=users)
    def open(self):
        user = User(self.loader)
        self.opened.append(user)
        self.executor.users.append(user)
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

    @rule(name=st.sampled_from(["one", "two"]))
    def forget(self, name):
        self.loader.forget(name)

    @rule(user=consumes(users))
    def close(self, user):
        user.wishes = {}
        user.closed = True
        user.client.close()

    # ---- what the store does ---------------------------------------------------------------

    @precondition(lambda self: self.executor.reads)
    @rule(data=st.data(), seconds=st.sampled_from([0.001, 0.05]))
    def read_arrives(self, data, seconds):
        self.end_read(data.draw(st.sampled_from(self.executor.reads)), None, seconds)

    @precondition(lambda self: self.executor.reads)
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
        self.end_read(data.draw(st.sampled_from(self.executor.reads)), error, 0.01)

    @precondition(lambda self: self.executor.works)
    @rule()
    def assemble(self):
        self.executor.works.pop(0)()

    @rule(seconds=st.sampled_from([0.05, 0.1, 1.0]))
    def time_passes(self, seconds):
        self.advance(seconds)

    @precondition(lambda self: self.executor.reads)
    @rule()
    def reads_hang(self):
        self.advance(READ_LIMIT_S)

    # ---- how it is done --------------------------------------------------------------------

    def request(self, name, size, row, column, tier, relative_level):
        return request(
            self.sources[name],
            row,
            column,
            size=size,
            tier=tier,
            relative_level=relative_level,
            key=(name, size, row, column),
        )

    def set_wishes(self, user, wishes):
        user.wishes = {}
        for wish in wishes:
            user.wishes.setdefault(wish.key, wish)
        user.final &= set(user.wishes)
        user.client.replace(wishes)

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
        core = tile.data[a:-a, a:-a]
        whole = expected(wish.source.storage, wish)
        np.testing.assert_array_equal(core, whole[a:-a, a:-a])
        if tile.complete:
            np.testing.assert_array_equal(tile.data, whole)
            user.final.add(tile.key)
        return True

    def end_read(self, read, error, seconds):
        self.executor.reads.remove(read)
        self.executor.open_regions.discard((read.storage.key, read.region))
        if error is None:
            read.done(ReadOutcome(read.storage.pixels_at(read.region), None, seconds))
        else:
            read.done(ReadOutcome(None, error, seconds))

    def advance(self, seconds):
        until = self.clock.time + seconds
        while (due := self.clock.next_call) is not None and due <= until:
            # A read that is given up may be started anew in the same moment.
            late = {
                read
                for read in self.executor.reads
                if self.started(read) is not None and self.started(read) + READ_LIMIT_S <= due
            }
            for read in late:
                self.executor.reads.remove(read)
                self.executor.open_regions.discard((read.storage.key, read.region))
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
        cache = self.loader.cache
        assert cache.cached_bytes + cache.reserved_bytes <= self.limit
        entries = cache._entries.values()
        assert cache.cached_bytes == sum(entry.nbytes for entry in entries)
        assert cache.held_bytes == sum(entry.nbytes for entry in entries if entry.holds)
        counts = self.loader.statistics
        reading = sum(read.storage.pixels_at(read.region).nbytes for read in self.executor.reads)
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
                tile.stage in unfinished and tile.request.tier.awaited for tile in tiles
            )
            assert set(user.wishes) == {tile.request.key for tile in tiles}
            for tile in tiles:
                assert tile.waiting == sum(not chunk.available for chunk in tile.chunks)

    @invariant()
    def workers_are_counted(self):
        running = len(self.executor.reads)
        assert self.loader.statistics.reading == running
        assert running <= sum(pool.num_workers for pool in self.loader._crew.pools)

    @invariant()
    def room_is_used(self):
        """With idle workers and nothing under way no wish that is due waits."""
        cache = self.loader.cache
        if self.executor.reads or self.executor.works or cache.reserved_bytes:
            return
        now = self.clock.time
        for user in self.opened:
            for tile in user.client._list.tiles.values():
                if tile.stage is Stage.LISTED and tile.request.tier.awaited:
                    assert tile.waiting
                    until = max(chunk.not_before for chunk in tile.chunks)
                    assert tile.since + 0.1 > now or until > now

    def teardown(self):
        if not hasattr(self, "loader"):
            return
        for steps_left in reversed(range(2_000)):
            assert steps_left, "it goes on for ever"
            taken = [self.take_one(user) for user in self.opened if not user.closed]
            if self.executor.works:
                self.executor.works.pop(0)()
            elif self.executor.reads:
                self.end_read(self.executor.reads[0], None, 0.01)
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
        while self.executor.reads:  # prefetching, which the closing of others made room for
            self.end_read(self.executor.reads[0], None, 0.01)
        while self.executor.works:
            self.executor.works.pop(0)()
        scheduler = self.dispatcher.scheduler
        assert not scheduler.working_set.chunks
        assert not len(scheduler.assemblies.gaps)
        assert not scheduler.reads.running
        assert self.loader.cache.reserved_bytes == 0
        assert self.loader.cache.held_bytes == 0
        assert all(pool.running == 0 for pool in self.loader._crew.pools)
        assert all(s.concurrency.running == 0 for _, s in scheduler.working_set.sources.items())
        self.loader.close()


TestLoader = LoaderMachine.TestCase
TestLoader.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
