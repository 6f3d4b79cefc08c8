import MeteringModel
import MeteringPorts
import RedisClient
import RedisCounterStore
import Testing

@Suite struct CounterApplyTests {
    @Test func `a blank store takes nothing and admits nothing`() async throws {
        let bench = try await Bench()
        let result = try await bench.store.apply(batch(0..<10, delta("a", used: 1)))
        #expect(result.staleShards == [bench.shard(of: "a")])
        #expect(try await bench.store.admit([request("a")])[0].verdict == .rebuilding)
        #expect(try await bench.store.watermarks(shard: 0).isEmpty)
        #expect(try await bench.read("a") == nil)
    }

    @Test func `adds each batch once, however often it comes`() async throws {
        let bench = try await Bench()
        try await bench.makeReady()
        let first = batch(0..<10, delta("a", used: 3), delta("b", used: 5, observed: 2))
        let second = batch(10..<20, delta("a", used: 4))
        for batch in [first, first, second, second, second] {
            #expect(try await bench.store.apply(batch).isClean)
        }
        #expect(try await bench.read("a") == counter("a", used: 7))
        // What came back as admitted usage must have been granted.
        #expect(try await bench.read("b") == counter("b", used: 5, observed: 2, granted: 3))
        #expect(try await bench.read("c") == nil)
    }

    @Test func `shards that a batch does not touch are not stale afterwards`() async throws {
        let bench = try await Bench()
        try await bench.makeReady()
        let left = bench.customers(in: 0, count: 1)[0]
        let right = bench.customers(in: 1, count: 1)[0]
        #expect(try await bench.store.apply(batch(0..<10, delta(left, used: 1))).isClean)
        for start in stride(from: Int64(10), to: 100, by: 10) {
            let next = batch(start..<start + 10, delta(right, used: 1))
            #expect(try await bench.store.apply(next).isClean)
        }
        #expect(try await bench.store.apply(batch(100..<110, delta(left, used: 1))).isClean)
        #expect(try await bench.read(left)?.used == 2)
        #expect(try await bench.read(right)?.used == 9)
        #expect(try await bench.store.watermarks(shard: 0) == [0: 110])
        #expect(try await bench.store.watermarks(shard: 1) == [0: 100])
    }

    @Test func `another node's rebuild at a later position does not make a shard stale`()
        async throws
    {
        let bench = try await Bench()
        try await bench.makeReady()
        let customer = bench.customers(in: 0, count: 1)[0]
        let elsewhere = bench.customers(in: 1, count: 1)[0]
        #expect(try await bench.store.apply(batch(0..<10, delta(customer, used: 1))).isClean)
        #expect(try await bench.store.apply(batch(10..<20, delta(elsewhere, used: 1))).isClean)
        let other = try Bench.store(on: bench.server)
        try await other.rebuild(
            shard: 0, counters: [counter(customer, used: 1)], watermarks: [0: 20])
        #expect(try await bench.store.apply(batch(20..<30, delta(customer, used: 1))).isClean)
        // The ledger may be ahead of the pipeline's apply.
        try await other.rebuild(
            shard: 0, counters: [counter(customer, used: 10)], watermarks: [0: 50])
        #expect(try await bench.store.apply(batch(30..<40, delta(customer, used: 3))).isClean)
        #expect(try await bench.store.apply(batch(40..<50, delta(customer, used: 5))).isClean)
        #expect(try await bench.read(customer)?.used == 10)
        await other.close()
    }

    @Test func `a missed batch makes its shards stale, and only them`() async throws {
        let bench = try await Bench()
        try await bench.makeReady()
        let a = bench.customers(in: 0, count: 1)[0]
        let b = bench.customers(in: 1, count: 1)[0]
        #expect(try await bench.store.apply(batch(0..<10, delta(a, used: 1))).isClean)
        // 10..<20 never reaches this process: it cannot know which shards it concerned.
        let result = try await bench.store.apply(
            batch(20..<30, delta(a, used: 1), delta(b, used: 1)))
        #expect(result.staleShards == [0, 1])
        #expect(try await bench.store.admit([request(a)])[0].verdict == .rebuilding)
        try await bench.store.rebuild(
            shard: 0, counters: [counter(a, used: 2)], watermarks: [0: 30])
        #expect(try await bench.store.apply(batch(30..<40, delta(a, used: 1))).isClean)
        #expect(try await bench.read(a)?.used == 3)
        #expect(
            try await bench.store.apply(batch(40..<50, delta(b, used: 1))).staleShards == [1])
    }

    @Test func `a lost apply is never skipped over`() async throws {
        let bench = try await Bench { $0.commandTimeout = .milliseconds(200) }
        try await eventually { try await bench.makeReady() }
        #expect(try await bench.store.apply(batch(0..<10, delta("a", used: 1))).isClean)
        bench.server.suspend()
        let lost = await #expect(throws: SharedCounterError.self) {
            try await bench.store.apply(batch(10..<20, delta("a", used: 1)))
        }
        #expect(lost?.code == .timeout)
        #expect(lost?.isOutcomeUnknown == true)
        // The stopped server would execute what its socket holds; kill the effect.
        bench.server.killServer()
        try await bench.server.start()
        let after = try await eventually {
            try await bench.store.apply(batch(20..<30, delta("a", used: 1)))
        }
        #expect(after.staleShards == [bench.shard(of: "a")])
    }

    @Test func `a timed-out apply may be repeated: it counts once`() async throws {
        let bench = try await Bench { $0.commandTimeout = .milliseconds(500) }
        try await eventually { try await bench.makeReady() }
        _ = try await bench.store.apply(batch(0..<10, delta("a", used: 1)))
        bench.server.suspend()
        let second = batch(10..<20, delta("a", used: 1))
        let lost = await #expect(throws: SharedCounterError.self) {
            try await bench.store.apply(second)
        }
        #expect(lost?.isOutcomeUnknown == true)
        bench.server.resume()
        let result = try await eventually { try await bench.store.apply(second) }
        #expect(result.isClean)
        #expect(try await eventually { try await bench.read("a") } == counter("a", used: 2))
    }

    @Test func `an earlier owner is fenced`() async throws {
        let bench = try await Bench()
        try await bench.makeReady()
        _ = try await bench.store.apply(batch(0..<10, epoch: 5, delta("a", used: 1)))
        let zombie = try Bench.store(on: bench.server)
        let result = try await zombie.apply(batch(10..<20, epoch: 4, delta("a", used: 100)))
        #expect(result.fencedShards == [bench.shard(of: "a")])
        #expect(result.staleShards.isEmpty)
        #expect(try await bench.read("a")?.used == 1)
        // A fenced call does not disturb the owner.
        #expect(
            try await bench.store.apply(batch(10..<20, epoch: 5, delta("a", used: 1))).isClean)
        await zombie.close()
    }

    @Test func `a new owner carries on where the watermark is the ledger's`() async throws {
        let bench = try await Bench()
        try await bench.makeReady()
        _ = try await bench.store.apply(batch(0..<10, epoch: 1, delta("a", used: 1)))
        let heir = try Bench.store(on: bench.server)
        #expect(try await heir.apply(batch(10..<20, epoch: 2, delta("a", used: 1))).isClean)
        #expect(try await bench.read("a")?.used == 2)
        let result = try await bench.store.apply(batch(10..<20, epoch: 1, delta("a", used: 1)))
        #expect(result.fencedShards == [bench.shard(of: "a")])
        await heir.close()
    }

    @Test func `readings replace, and corrections subtract`() async throws {
        let bench = try await Bench()
        try await bench.makeReady()
        let reading = CounterBatch.Delta(
            key: key("peak"), isAdditive: false, used: 70, observed: 70)
        _ = try await bench.store.apply(batch(0..<10, reading, delta("a", used: 10)))
        let lower = CounterBatch.Delta(
            key: key("peak"), isAdditive: false, used: -3, observed: -3)
        _ = try await bench.store.apply(batch(10..<20, lower, delta("a", used: -12)))
        #expect(try await bench.read("peak") == counter("peak", used: -3))
        #expect(try await bench.read("a") == counter("a", used: -2))
    }

    @Test func `a key may occur twice in a batch`() async throws {
        let bench = try await Bench()
        try await bench.makeReady()
        _ = try await bench.store.apply(
            batch(0..<10, delta("a", used: 2), delta("a", used: 3), delta("a", used: -1)))
        #expect(try await bench.read("a")?.used == 4)
    }

    @Test func `sums stay exact to 2^53 and are refused whole beyond`() async throws {
        let bench = try await Bench()
        try await bench.makeReady()
        let limit = Int64(1) << 53 - 1
        #expect(try await bench.store.apply(batch(0..<1, delta("a", used: limit))).isClean)
        #expect(try await bench.read("a")?.used == limit)
        let neighbour = bench.customers(in: bench.shard(of: "a"), count: 1)[0]
        for excess in [1, limit, Int64.max] {
            let error = await #expect(throws: SharedCounterError.self) {
                try await bench.store.apply(
                    batch(1..<2, delta(neighbour, used: 1), delta("a", used: excess)))
            }
            #expect(error?.code == .rejected)
        }
        #expect(try await bench.read(neighbour) == nil)
        #expect(try await bench.store.apply(batch(1..<2, delta("a", used: -1))).isClean)
        #expect(try await bench.read("a")?.used == limit - 1)
    }

    @Test func `ids may hold any character and never collide`() async throws {
        let bench = try await Bench(shards: 1)
        try await bench.makeReady()
        let names = [
            "", "}", "{", "{s0}", ":", "a b", "a", "ab", "b", "é", "日本\u{1F600}", "\u{0}", "\r\n",
            "$5\r\nhello", String(repeating: "x", count: 300),
        ]
        var keys: [SharedCounterKey] = []
        let periods = [
            november, .lifetime,
            Period(start: november.start, end: november.start.adding(seconds: 86_400)),
            Period(start: .init(microseconds: 1_793_491_200_000_001), end: november.end),
        ]
        for customer in names {
            for meter in names + ["a:b"] {
                for period in periods { keys.append(key(customer, meter: meter, period: period)) }
            }
        }
        let deltas = keys.enumerated().map { index, key in
            CounterBatch.Delta(
                key: key, isAdditive: true, used: Int64(index + 1), observed: Int64(index + 1))
        }
        let result = try await bench.store.apply(
            CounterBatch(partition: 0, epoch: 1, baseOffset: 0, nextOffset: 9, deltas: deltas))
        #expect(result.isClean)
        let used = try await bench.store.read(keys).map { $0?.used }
        #expect(used == deltas.map { $0.used })
    }

    @Test func `partitions have watermarks of their own`() async throws {
        let bench = try await Bench()
        try await bench.makeReady([0: 100, 7: 5])
        #expect(
            try await bench.store.apply(batch(100..<110, partition: 0, delta("a", used: 1)))
                .isClean)
        #expect(
            try await bench.store.apply(batch(5..<6, partition: 7, delta("a", used: 2))).isClean)
        #expect(try await bench.read("a")?.used == 3)
        #expect(
            try await bench.store.watermarks(shard: bench.shard(of: "a")) == [0: 110, 7: 6])
    }
}
