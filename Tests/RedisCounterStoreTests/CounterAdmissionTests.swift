import MeteringModel
import MeteringPorts
import RedisClient
import RedisCounterStore
import Testing

@Suite struct CounterAdmissionTests {
    @Test func `admits up to the limit and not one more`() async throws {
        let bench = try await Bench()
        try await bench.makeReady()
        let results = try await bench.store.admit([
            request("a", 6, limit: 10), request("a", 5, limit: 10), request("a", 4, limit: 10),
            request("a", 1, limit: 10), request("a", 0, limit: 10),
        ])
        #expect(
            results.map(\.verdict) == [.admitted, .exhausted, .admitted, .exhausted, .admitted])
        #expect(results.map(\.committed) == [6, 6, 10, 10, 10])
        #expect(try await bench.store.admit([request("a", 5)])[0].committed == 15)
    }

    @Test func `what was observed counts against the limit, what was granted counts once`()
        async throws
    {
        let bench = try await Bench()
        try await bench.makeReady()
        _ = try await bench.store.admit([request("a", 4, limit: 10)])
        // The four come back as events; three more came from elsewhere.
        _ = try await bench.store.apply(batch(0..<10, delta("a", used: 7, observed: 3)))
        #expect(try await bench.read("a") == counter("a", used: 7, observed: 3, granted: 4))
        let results = try await bench.store.admit([
            request("a", 4, limit: 10), request("a", 3, limit: 10),
        ])
        #expect(results.map(\.verdict) == [.exhausted, .admitted])
        #expect(results[1].committed == 10)
    }

    @Test(arguments: [[1], [1, 2, 3, 7]])
    func `64 concurrent callers admit exactly the limit`(sizes: [Int64]) async throws {
        let bench = try await Bench()
        try await bench.makeReady()
        let limit: Int64 = 10_000
        let store = bench.store
        let other = try Bench.store(on: bench.server)
        let admitted = try await withThrowingTaskGroup(of: Int64.self) { group in
            for caller in 0..<64 {
                let store = caller.isMultiple(of: 2) ? store : other
                group.addTask {
                    var admitted: Int64 = 0
                    var turn = caller
                    // Ends when not even a single unit is to be had.
                    while true {
                        let quantity = sizes[turn % sizes.count]
                        turn += 1
                        let verdict = try await store.admit(
                            [request("hot", quantity, limit: limit)])[0].verdict
                        if verdict == .admitted { admitted += quantity }
                        if verdict == .exhausted && quantity == 1 { return admitted }
                    }
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(admitted == limit)
        #expect(try await bench.read("hot")?.granted == limit)
        // Grouping: far fewer function calls than admissions.
        #expect(bench.store.statistics.callsTotal + other.statistics.callsTotal < 8_000)
        await other.close()
    }

    @Test func `gives units back, but not those that came back as usage`() async throws {
        let bench = try await Bench()
        try await bench.makeReady()
        _ = try await bench.store.admit([request("a", 10, limit: 10)])
        try await bench.store.giveBack([request("a", 3), request("a", 1)])
        #expect(try await bench.read("a")?.granted == 6)
        _ = try await bench.store.apply(batch(0..<10, delta("a", used: 5, observed: 0)))
        try await bench.store.giveBack([request("a", 100)])
        #expect(try await bench.read("a") == counter("a", used: 5, observed: 0, granted: 5))
        try await bench.store.giveBack([request("nobody", 5)])
        #expect(try await bench.read("nobody") == nil)
    }

    @Test func `refuses impossible quantities`() async throws {
        let bench = try await Bench()
        try await bench.makeReady()
        for quantity in [-1, Int64.min, Int64(1) << 53, .max] {
            await #expect(throws: SharedCounterError.self) {
                try await bench.store.admit([request("a", quantity)])
            }
            await #expect(throws: SharedCounterError.self) {
                try await bench.store.giveBack([request("a", quantity)])
            }
        }
        let almost = Int64(1) << 53 - 1
        let results = try await bench.store.admit([
            request("a", almost, limit: .max), request("a", 1, limit: .max), request("a", 1),
        ])
        #expect(results.map(\.verdict) == [.admitted, .exhausted, .exhausted])
    }

    @Test func `answers every request of many callers in its place`() async throws {
        let bench = try await Bench(shards: 8)
        let store = bench.store
        try await bench.makeReady()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<50 {
                group.addTask {
                    let requests = (0..<20).map { index in
                        request("c\(caller)-\(index)", Int64(index + 1), limit: 10)
                    }
                    let results = try await store.admit(requests)
                    for (index, result) in results.enumerated() {
                        let fits = index + 1 <= 10
                        #expect(result.verdict == (fits ? .admitted : .exhausted))
                        #expect(result.committed == (fits ? Int64(index + 1) : 0))
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await bench.store.admit([]).isEmpty)
    }

    @Test func `a silent server is a timeout of unknown outcome`() async throws {
        let bench = try await Bench { $0.commandTimeout = .milliseconds(200) }
        try await eventually { try await bench.makeReady() }
        bench.server.suspend()
        let error = await #expect(throws: SharedCounterError.self) {
            try await bench.store.admit([request("a", 1, limit: 10)])
        }
        #expect(error?.code == .timeout)
        #expect(error?.isOutcomeUnknown == true)
        bench.server.resume()
        let after = try await eventually {
            try await bench.store.admit([request("a", 1, limit: 10)])
        }
        // Never more than what was asked for; the silent one may have been charged.
        #expect((1...2).contains(after[0].committed))
    }

    @Test func `an absent server is unreachable at once`() async throws {
        let bench = try await Bench()
        bench.server.killServer()
        let error = await #expect(throws: SharedCounterError.self) {
            while true { _ = try await bench.store.admit([request("a")]) }
        }
        #expect(error?.code == .unreachable)
        #expect(!bench.store.isReachable)
        await bench.store.close()
        let closed = await #expect(throws: SharedCounterError.self) {
            try await bench.store.admit([request("a")])
        }
        #expect(closed?.code == .closed)
    }
}
