import Dispatch
import Entitlements
import Foundation
import Metering
import MeteringModel
import MeteringPorts
import SQLLedger
import Synchronization
import Testing

/// Reconciliation beside metering that goes on: it finds what is wrong, and nothing else.
@Suite struct ReconcileTests {
    let folder: TemporaryFolder
    let clock = TestClock("2026-11-21T10:00:00Z")

    init() throws { folder = try TemporaryFolder() }

    private static let customers = (0..<12).map { CustomerID("n\($0)") }

    private func harness() async throws -> MeteringHarness {
        let contracts = Self.customers.enumerated().map { number, id in
            Contracts.customer(
                id, subjects: [SubjectID("key_\(number)")],
                parent: number == 0 ? nil : CustomerID("n\((number - 1) / 2)"),
                [Contracts.subscription("basic", from: "2026-01-01T00:00:00Z")])
        }
        return try await MeteringHarness(
            folder.path, try MeteringHarness.compile(Contracts.catalog, contracts), clock: clock)
    }

    private func reconciler(
        _ harness: MeteringHarness, replay: (any LogReplay)? = nil,
        shared: (any SharedCounters)? = nil,
        counters: @escaping Reconciler.CounterReading = { _, _, _ in nil }
    ) -> Reconciler {
        Reconciler(
            pipeline: harness.pipeline, replay: replay ?? harness.replay, ledger: harness.ledger,
            catalog: harness.catalog, settings: MeteringSettings.old, shared: shared,
            clock: clock.wall, pageRows: 1, counterReading: counters)
    }

    private static func events(_ round: Int) -> [String] {
        (0..<24).map { number in
            Sample.event(
                "\(round)/\(number)", tokens: "\(number + 1)", subject: "key_\(number % 12)",
                time: "2026-11-\(10 + (number + round) % 11)T\(10 + round % 12):10:00Z",
                model: "m\(round % 3)")
        }
    }

    @Test func meteringGoesOnWhileTheLogIsRecounted() async throws {
        let harness = try await harness()
        try await harness.send(Self.events(0))
        try await harness.settle()
        let replay = HeldReplay(harness.replay)
        let reconciler = reconciler(harness, replay: replay)
        async let report = reconciler.reconcile()
        await replay.hasBegun()
        // Commits, each waited for, in the midst of the recount.
        for round in 1..<6 {
            try await harness.send(Self.events(round))
            try await harness.settle()
        }
        replay.goOn()
        let found = try await report
        #expect(found.drifts == [])
        #expect(found.eventsRead == 24)
        let again = try await harness.reports.reconcile()
        #expect(again.drifts == [])
        #expect(again.eventsRead == 6 * 24)
        await harness.stop()
    }

    @Test func nothingIsFoundInTheMidstOfTraffic() async throws {
        let harness = try await harness()
        try await harness.send(Self.events(0))
        try await harness.settle()
        let reconciler = reconciler(harness) { [harness] customer, _, period in
            try? harness.ledger.usage(
                UsageKey(customer: customer, meter: "tokens", period: period))?.state.value
        }
        let traffic = Task {
            var round = 1
            while !Task.isCancelled {
                // Few at a time, or the log grows faster than it is recounted.
                let first = round * 3 % 24
                try await harness.send(Array(Self.events(round)[first..<first + 3]))
                round += 1
            }
        }
        var read: Int64 = 0
        for number in 0..<4 {
            let report = try await reconciler.reconcile()
            #expect(report.drifts == [])
            #expect(report.eventsRead >= read)
            read = report.eventsRead
            // Contracts change meanwhile: rows of another period come, and go again.
            let plan: PlanKey = number.isMultiple(of: 2) ? "yearly" : "basic"
            try await harness.change([Self.contract("n11", plan)], request: "r\(number)")
        }
        traffic.cancel()
        try await traffic.value
        #expect(read > 24)
        await harness.stop()
    }

    private static func contract(_ id: CustomerID, _ plan: PlanKey) -> CustomerContract {
        Contracts.customer(
            id, subjects: ["key_11"], parent: "n5",
            [Contracts.subscription(plan, from: "2026-01-01T00:00:00Z")])
    }

    @Test func aWrongRowIsFoundInTheMidstOfTraffic() async throws {
        let harness = try await harness()
        try await harness.send(Self.events(0))
        try await harness.settle()
        let start = try #require(Timestamp(rfc3339: "2026-11-01T00:00:00Z"))
        let end = try #require(Timestamp(rfc3339: "2026-12-01T00:00:00Z"))
        let key = UsageKey(
            customer: "n11", meter: "tokens", period: Period(start: start, end: end))
        try await harness.pipeline.betweenCommits { [harness] in
            Result {
                var row = try #require(try harness.ledger.usage(key))
                row.state.value += 7
                var effects = LedgerRestatement(at: start)
                effects.usage = [row]
                try harness.ledger.restate(effects)
            }
        }.get()
        let reconciler = reconciler(harness)
        async let report = reconciler.reconcile()
        for round in 1..<4 { try await harness.send(Self.events(round)) }
        let drifts = try await report.drifts
        #expect(drifts.allSatisfy { $0.customer == "n11" && $0.period == key.period })
        let differences = Dictionary(
            drifts.map { ($0.store, abs($0.stored - $0.recounted)) }, uniquingKeysWith: max)
        #expect(
            differences == [
                "ledger": 7, "rollups_hour": 7, "rollups_day": 7, "rollups_month": 7,
            ])
        await harness.stop()
    }

    @Test(arguments: [2, Int.max]) func aCounterMetInTheMidstOfAChargeIsLookedAtAgain(
        tornLooks: Int
    ) async throws {
        let harness = try await harness()
        try await harness.send(Self.events(0))
        try await harness.settle()
        let looks = Atomic<Int>(0)
        let reconciler = reconciler(harness) { [harness] customer, _, period in
            guard customer == "n11" else { return nil }
            let key = UsageKey(customer: customer, meter: "tokens", period: period)
            let isTorn = looks.add(1, ordering: .relaxed).oldValue < tornLooks
            return (try? harness.ledger.usage(key)).flatMap { $0?.state.value }
                .map { isTorn ? $0 + 5 : $0 }
        }
        let drifts = try await reconciler.reconcile().drifts
        if tornLooks == 2 {
            #expect(drifts == [])
            #expect(looks.load(ordering: .relaxed) == 3)
        } else {
            #expect(drifts.map(\.store) == ["counters"])
            #expect(drifts.map { $0.stored - $0.recounted } == [5])
        }
        await harness.stop()
    }

    @Test func aSharedStoreMayLagButNotDiffer() async throws {
        let harness = try await harness()
        try await harness.send(Self.events(0))
        try await harness.settle()
        let lagging = LaggingStore(harness, firstReads: { $0 - 3 }, laterReads: { $0 })
        #expect(try await reconciler(harness, shared: lagging).reconcile().drifts == [])
        let wrong = LaggingStore(harness, firstReads: { $0 }, laterReads: { $0 + 3 })
        let first = try await reconciler(harness, shared: wrong).reconcile()
        #expect(first.drifts == [])
        let drifts = try await reconciler(harness, shared: wrong).reconcile().drifts
        #expect(Set(drifts.map(\.store)) == ["redis"])
        #expect(Set(drifts.map { $0.stored - $0.recounted }) == [3])
        await harness.stop()
    }
}

extension MeteringSettings {
    /// As of the harness: events as old as the tests have them.
    fileprivate static var old: MeteringSettings {
        var settings = MeteringSettings()
        settings.maximumAgeSeconds = 400 * 86_400
        return settings
    }
}

/// A replay that waits before it reads.
private final class HeldReplay: LogReplay {
    private let inner: any LogReplay
    private let begun = DispatchSemaphore(value: 0)
    private let held = DispatchSemaphore(value: 0)

    init(_ inner: any LogReplay) { self.inner = inner }

    func goOn() { held.signal() }

    func hasBegun() async {
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            Thread { [begun] in
                begun.wait()
                done.resume()
            }.start()
        }
    }

    func replay(
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
    ) throws(EventLogError) {
        begun.signal()
        held.wait()
        try inner.replay(body)
    }
}

/// What the ledger holds, changed on the way: by one rule on the first reading of all, by another
/// one on the later ones.
private final class LaggingStore: SharedCounters {
    private let harness: MeteringHarness
    private let firstReads: @Sendable (Int64) -> Int64
    private let laterReads: @Sendable (Int64) -> Int64
    private let reads = Atomic<Int>(0)

    init(
        _ harness: MeteringHarness, firstReads: @escaping @Sendable (Int64) -> Int64,
        laterReads: @escaping @Sendable (Int64) -> Int64
    ) {
        self.harness = harness
        self.firstReads = firstReads
        self.laterReads = laterReads
    }

    func read(_ keys: [SharedCounterKey]) async throws(SharedCounterError) -> [SharedCounter?] {
        let isFirst = reads.add(1, ordering: .relaxed).oldValue == 0
        return keys.map { key in
            let row = UsageKey(customer: key.customer, meter: key.meter, period: key.period)
            guard let state = (try? harness.ledger.usage(row))?.state else { return nil }
            let used = isFirst ? firstReads(state.value) : laterReads(state.value)
            return SharedCounter(key: key, used: used, observed: used, granted: 0)
        }
    }

    func apply(_ batch: CounterBatch) async throws(SharedCounterError) -> CounterApplyResult {
        CounterApplyResult(staleShards: [], fencedShards: [])
    }
    func admit(
        _ requests: [CounterAdmission]
    ) async throws(SharedCounterError) -> [CounterAdmissionResult] { [] }
    func giveBack(_ requests: [CounterAdmission]) async throws(SharedCounterError) {}
    func rebuild(
        shard: Int, counters: [SharedCounter], watermarks: [Int32: Int64]
    ) async throws(SharedCounterError) {}
    func watermarks(shard: Int) async throws(SharedCounterError) -> [Int32: Int64] { [:] }
    func shard(of root: CustomerID) -> Int { 0 }
    var shardCount: Int { 1 }
    var isReachable: Bool { true }
    func close() async {}
}
