import Glibc
import MeteringModel
import MeteringPorts
import RedisClient
import RedisCounterStore
import Testing

@Suite struct CounterRebuildTests {
    @Test func `after FLUSHALL nothing is admitted until the ledger is back`() async throws {
        let bench = try await Bench()
        try await bench.makeReady()
        _ = try await bench.store.apply(batch(0..<10, delta("a", used: 5, observed: 2)))
        _ = try await bench.server.run("FLUSHALL")
        #expect(try await bench.store.watermarks(shard: bench.shard(of: "a")).isEmpty)
        #expect(
            try await bench.store.admit([request("a", 1, limit: 10)])[0].verdict == .rebuilding)
        let result = try await bench.store.apply(batch(10..<20, delta("a", used: 1)))
        #expect(result.staleShards == [bench.shard(of: "a")])
        try await bench.makeReady(
            [0: 20], counters: [counter("a", used: 6, observed: 3, granted: 3)])
        // The pipeline repeats the batch that the ledger already contained.
        #expect(try await bench.store.apply(batch(10..<20, delta("a", used: 1))).isClean)
        #expect(
            try await bench.read("a") == counter("a", used: 6, observed: 3, granted: 3))
        #expect(
            try await bench.store.admit([request("a", 5, limit: 10)])[0].verdict == .exhausted)
        #expect(
            try await bench.store.admit([request("a", 4, limit: 10)])[0].verdict == .admitted)
    }

    @Test func `a rebuild replaces usage, removes leftovers and keeps newer grants`()
        async throws
    {
        let bench = try await Bench(shards: 1)
        try await bench.makeReady()
        _ = try await bench.store.apply(
            batch(0..<10, delta("a", used: 50), delta("gone", used: 9), delta("b", used: 1)))
        _ = try await bench.store.admit([
            request("a", 5), request("inflight", 2), request("b", 1),
        ])
        try await bench.store.rebuild(
            shard: 0,
            counters: [
                counter("a", used: 7), counter("b", used: 9, observed: 1, granted: 8),
                counter("new", used: 3),
            ],
            watermarks: [0: 10, 1: 4])
        #expect(try await bench.read("a") == counter("a", used: 7, granted: 5))
        #expect(try await bench.read("b") == counter("b", used: 9, observed: 1, granted: 8))
        #expect(try await bench.read("inflight") == counter("inflight", used: 0, granted: 2))
        #expect(try await bench.read("gone") == nil)
        #expect(try await bench.read("new") == counter("new", used: 3))
        #expect(try await bench.store.watermarks(shard: 0) == [0: 10, 1: 4])
    }

    @Test func `rebuilds leave nothing of earlier generations behind`() async throws {
        let bench = try await Bench(shards: 1)
        let counters = (0..<3_000).map { counter("customer-\($0)", used: Int64($0)) }
        try await bench.makeReady(counters: counters)
        let size = try await bench.server.run("DBSIZE")
        for _ in 0..<3 { try await bench.makeReady(counters: counters) }
        #expect(try await bench.server.run("DBSIZE") == size)
        let read = try await bench.store.read(counters.map(\.key))
        #expect(read.map { $0?.used } == counters.map { $0.used })
        try await bench.makeReady()
        // Layout, shard record, watermarks.
        #expect(try await bench.server.run("DBSIZE") == .integer(3))
    }

    @Test func `counters move when the number of buckets changes`() async throws {
        let bench = try await Bench(shards: 1)
        let many = (0..<20_000).map { counter("customer-\($0)", used: Int64($0)) }
        try await bench.makeReady()
        // In flight, in the small layout; then carried into the large one, and back.
        _ = try await bench.store.admit((0..<500).map { request("inflight-\($0)", 1) })
        for counters in [many, [], many] {
            try await bench.makeReady(counters: counters)
            let inflight = try await bench.store.read((0..<500).map { key("inflight-\($0)") })
            #expect(inflight.allSatisfy { $0?.granted == 1 })
            let read = try await bench.store.read(many.map(\.key))
            #expect(read.compactMap { $0?.used } == counters.map { $0.used })
        }
        #expect(try await bench.store.apply(batch(0..<9, delta("customer-7", used: 1))).isClean)
        #expect(try await bench.read("customer-7")?.used == 8)
    }

    @Test func `an old snapshot does not push a live shard back`() async throws {
        let bench = try await Bench(shards: 1)
        try await bench.makeReady()
        _ = try await bench.store.apply(batch(0..<10, delta("a", used: 1)))
        let other = try Bench.store(on: bench.server, shards: 1)
        let refused = await #expect(throws: SharedCounterError.self) {
            try await other.rebuild(shard: 0, counters: [], watermarks: [0: 0])
        }
        #expect(refused?.code == .rejected)
        // The repeat, with a snapshot read after the refusal, is taken.
        try await other.rebuild(
            shard: 0, counters: [counter("a", used: 1)], watermarks: [0: 10])
        #expect(try await bench.store.apply(batch(10..<20, delta("a", used: 1))).isClean)
        #expect(try await bench.read("a")?.used == 2)
        await other.close()
    }

    @Test func `a batch waits for another node's rebuild and is applied after it`() async throws {
        let bench = try await Bench(shards: 1)
        try await bench.makeReady()
        _ = try await bench.store.apply(batch(0..<10, delta("a", used: 1)))
        let other = try Bench.store(on: bench.server, shards: 1)
        // Freezes the shard in the other node's name.
        _ = try? await other.rebuild(shard: 0, counters: [], watermarks: [0: 0])
        let store = bench.store
        let applying = Task {
            try await store.apply(batch(10..<20, delta("a", used: 1)))
        }
        try await other.rebuild(
            shard: 0, counters: [counter("a", used: 1)], watermarks: [0: 10])
        #expect(try await applying.value.isClean)
        #expect(try await bench.read("a")?.used == 2)
        await other.close()
    }

    @Test func `a node that died while rebuilding is waited for, then replaced`() async throws {
        let bench = try await Bench(shards: 1)
        try await bench.makeReady()
        _ = try await bench.store.apply(batch(0..<10, delta("a", used: 1)))
        let dead = try Bench.store(on: bench.server, shards: 1)
        _ = try? await dead.rebuild(shard: 0, counters: [], watermarks: [0: 0])
        await dead.close()
        let result = try await bench.store.apply(batch(10..<20, delta("a", used: 1)))
        #expect(result.staleShards == [0])
        try await bench.store.rebuild(
            shard: 0, counters: [counter("a", used: 2)], watermarks: [0: 20])
        #expect(try await bench.store.apply(batch(20..<30, delta("a", used: 1))).isClean)
        #expect(try await bench.read("a")?.used == 3)
    }

    @Test func `a restarted server is trusted again only after a rebuild`() async throws {
        let bench = try await Bench(["--appendonly", "yes", "--appendfsync", "always"], shards: 1)
        try await bench.makeReady()
        _ = try await bench.store.apply(batch(0..<10, delta("a", used: 1)))
        _ = try await bench.store.admit([request("a", 4, limit: 10)])
        bench.server.killServer()
        try await bench.server.start()
        let verdict = try await eventually {
            try await bench.store.admit([request("a", 1, limit: 10)])[0].verdict
        }
        #expect(verdict == .rebuilding)
        try await bench.makeReady([0: 10], counters: [counter("a", used: 1)])
        // The admissions under way at the restart are still charged.
        #expect(try await bench.read("a") == counter("a", used: 1, granted: 4))
        #expect(try await bench.store.apply(batch(10..<20, delta("a", used: 1))).isClean)
    }

    @Test func `a server that lost everything gets library, layout and data back`() async throws {
        let bench = try await Bench(shards: 1)
        try await bench.makeReady()
        _ = try await bench.store.apply(batch(0..<10, delta("a", used: 1)))
        bench.server.killServer()
        try await bench.server.start()
        let result = try await eventually {
            try await bench.store.apply(batch(10..<20, delta("a", used: 1)))
        }
        #expect(result.staleShards == [0])
        try await bench.makeReady([0: 20], counters: [counter("a", used: 2)])
        #expect(try await bench.read("a") == counter("a", used: 2))
        _ = try await bench.server.run("FUNCTION", "FLUSH")
        #expect(try await bench.store.apply(batch(20..<30, delta("a", used: 1))).isClean)
        #expect(try await bench.read("a") == counter("a", used: 3))
    }

    @Test func `buckets expire after their period, lifetime ones never`() async throws {
        let bench = try await Bench(shards: 1)
        try await bench.makeReady()
        let now = Timestamp(seconds: 86_400 * (Int64(time(nil)) / 86_400))
        let current = Period(start: now, end: now.adding(seconds: 86_400))
        let ancient = Period(start: .init(seconds: 0), end: .init(seconds: 86_400))
        let keys = [Period.lifetime, current, ancient].map { key("a", period: $0) }
        _ = try await bench.store.admit(
            keys.map { CounterAdmission(key: $0, quantity: 1, hardLimit: nil) })
        #expect(try await bench.store.read(keys).map { $0?.granted } == [1, 1, nil])
        let names = try await bench.server.run("KEYS", "tg:{s0}:c*").elements ?? []
        var lifetimes: [Int64] = []
        for name in names.compactMap(\.text) {
            lifetimes.append(try await bench.server.run("TTL", name).number ?? 0)
        }
        lifetimes.sort()
        #expect(lifetimes.count == 2)
        #expect(lifetimes.first == -1)
        #expect(((40 * 86_400)...(41 * 86_400)).contains(lifetimes.last ?? 0))
    }

    @Test func `another number of shards is refused`() async throws {
        let bench = try await Bench(shards: 4)
        try await bench.makeReady()
        let other = try Bench.store(on: bench.server, shards: 8)
        let error = await #expect(throws: SharedCounterError.self) {
            try await other.watermarks(shard: 0)
        }
        #expect(error?.code == .misconfigured)
        await other.close()
        await #expect(throws: SharedCounterError.self) {
            try await bench.store.watermarks(shard: 4)
        }
    }

    @Test func `a shard belongs to its root, and is the same everywhere`() async throws {
        let bench = try await Bench(shards: 64)
        #expect(bench.store.shard(of: "customer-1") == bench.store.shard(of: "customer-1"))
        let shards = Set((0..<1_000).map { bench.store.shard(of: CustomerID("customer-\($0)")) })
        #expect(shards.count == 64)
        // Frozen values: they are part of what is stored.
        #expect(
            ["a", "b", "", "日本"].map { bench.store.shard(of: CustomerID($0)) } == [13, 59, 47, 2])
    }

    @Test func `preflight grades the settings`() async throws {
        let bench = try await Bench()
        let plain = await bench.store.preflight()
        #expect(plain.map(\.level) == ["ok", "ok", "ok", "warning"])
        _ = try await bench.server.run("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        _ = try await bench.server.run("CONFIG", "SET", "appendonly", "yes")
        #expect(await bench.store.preflight().map(\.level) == ["ok", "ok", "error", "ok"])
        _ = try await bench.server.run("ACL", "SETUSER", "default", "-config", "-info")
        #expect(Set(await bench.store.preflight().map(\.level)) == ["unknown"])
        bench.server.killServer()
        #expect(await bench.store.preflight().map(\.level).first == "error")
    }

    @Test func `a full server refuses and changes nothing`() async throws {
        let bench = try await Bench(shards: 1)
        try await bench.makeReady()
        _ = try await bench.server.run("CONFIG", "SET", "maxmemory", "1")
        let error = await #expect(throws: SharedCounterError.self) {
            try await bench.store.apply(batch(0..<10, delta("a", used: 1)))
        }
        #expect(error?.code == .rejected)
        #expect(error?.isOutcomeUnknown == false)
        _ = try await bench.server.run("CONFIG", "SET", "maxmemory", "0")
        #expect(try await bench.store.apply(batch(0..<10, delta("a", used: 1))).isClean)
        #expect(try await bench.read("a")?.used == 1)
    }
}
