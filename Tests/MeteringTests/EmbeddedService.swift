import Enforcement
import Entitlements
import Foundation
import JournalEventLog
import Logging
import Metering
import MeteringModel
import MeteringPorts
import SQLLedger
import Synchronization

/// The embedded service without its edges, on a folder of its own, with a clock that tests set.
final class EmbeddedService: Sendable {
    let clock: TestClock
    let ledger: SQLLedger
    let journal: EventJournal
    let pipeline: MeteringPipeline
    let gate: QuotaGate
    let recorder: EventRecorder
    let reports: UsageReports
    let catalog: CurrentCatalog
    let counters = MeteringCounters()
    let board: CounterBoard
    let tracker: UsageTracker

    init(_ folder: String, _ catalog: Catalog, clock: TestClock, instance: String = "a")
        async throws
    {
        self.clock = clock
        let wall = clock.wall
        ledger = try SQLLedger(path: folder + "/ledger.db")
        let hash = KeyHash(k0: 1, k1: 2)
        let snapshot = try Self.compile(catalog, hash: hash)
        let current = CurrentCatalog(snapshot)
        self.catalog = current
        journal = try EventJournal(path: folder + "/journal.db", clock: wall)
        board = CounterBoard(catalog: current, queries: ledger, minimumCapacity: 64)
        let index = NearLimitIndex()
        tracker = UsageTracker(
            board: board, index: index, shared: nil, queries: ledger, clock: wall)
        var settings = MeteringSettings()
        settings.commitIntervalMilliseconds = 5
        let pipeline = MeteringPipeline(
            reader: try journal.makeReader(), ledger: ledger, queries: ledger, catalog: current,
            observer: tracker, settings: settings, counters: counters, instance: instance,
            clock: wall, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        self.pipeline = pipeline
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let gate = QuotaGate(
            board: board, book: IdempotencyBook(), writer: journal, queries: ledger, shared: nil,
            clock: wall, instance: instance, logger: logger, completeTo: { pipeline.completeTo })
        self.gate = gate
        recorder = EventRecorder(
            writer: journal, queries: ledger, control: ledger, catalog: current,
            settings: settings, clock: wall)
        reports = UsageReports(
            queries: ledger, catalog: current,
            reconciler: Reconciler(
                pipeline: pipeline, replay: Replay(journal), queries: ledger, catalog: current,
                settings: settings, shared: nil, logger: logger,
                counterReading: { gate.settledUsage(customer: $0, feature: $1, period: $2) }),
            clock: wall,
            nearLimit: { over, limit, cursor throws(QueryError) in
                try index.page(
                    overBasisPoints: over, limit: limit, cursor: cursor, now: wall.now())
            },
            completeTo: { pipeline.completeTo })
        pipeline.start()
        try await settle()
        board.restoreHolds(try ledger.openReservations())
        gate.book.restore(try ledger.admissions(since: .distantPast))
    }

    static func compile(_ catalog: Catalog, hash: KeyHash) throws -> CatalogSnapshot {
        try CatalogSnapshot.compile(
            catalog, revision: 1, hash: hash, planVersion: { _ in 1 },
            zone: { $0 == "UTC" ? .utc : nil }
        ).get()
    }

    /// Waits until everything in the journal is in the ledger.
    func settle() async throws {
        while true {
            let end = journal.endOffset
            let done = await pipeline.betweenCommits { [pipeline] in
                pipeline.positions.first?.nextOffset ?? -1
            }
            if done >= end { return }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    func send(_ events: [String]) async throws {
        try await recorder.record(events.map { AcceptedEvent(key: "k", json: Array($0.utf8)) })
    }

    func consume(
        _ customer: String, _ feature: String, _ quantity: Int64 = 1, id: String? = nil
    ) async throws -> Decision {
        try await gate.consume(
            EntitlementQuestion(
                party: .customer(CustomerID(customer)), feature: FeatureKey(feature),
                quantity: DecimalQuantity(mantissa: quantity), id: id))
    }

    func check(
        _ customer: String, _ feature: String, _ quantity: Int64 = 1
    ) throws -> Decision {
        try gate.check(
            EntitlementQuestion(
                party: .customer(CustomerID(customer)), feature: FeatureKey(feature),
                quantity: DecimalQuantity(mantissa: quantity)))
    }

    func stop() async {
        await journal.close()
        await pipeline.stop()
        ledger.close()
    }

    final class Replay: LogReplay {
        let journal: EventJournal
        init(_ journal: EventJournal) { self.journal = journal }
        func replay(
            _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
        ) throws(EventLogError) {
            let reader = try journal.makeReader()
            defer { reader.close() }
            try reader.replay(from: 0, body)
        }
    }
}

/// Time as a test sets it.
final class TestClock: Sendable {
    private let micros: Atomic<Int64>
    init(_ text: String) {
        micros = Atomic(Timestamp(rfc3339: text)?.microseconds ?? 0)
    }
    var now: Timestamp { Timestamp(microseconds: micros.load(ordering: .relaxed)) }
    func set(_ text: String) {
        micros.store(Timestamp(rfc3339: text)?.microseconds ?? 0, ordering: .relaxed)
    }
    var wall: WallClock { WallClock { self.now } }
}

/// A folder that goes away with its owner.
final class TemporaryFolder: Sendable {
    let path: String
    init() throws {
        path = NSTemporaryDirectory() + "tollgate-test-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

enum Sample {
    static func catalog(
        tokenLimit: Limit = .finite(1_000), callLimit: Limit = .finite(10_000),
        enforcement: EnforcementMode = .soft, subjects: [SubjectID] = ["key_1", "key_2"]
    ) -> Catalog {
        Catalog(
            meters: [
                MeterDefinition(
                    key: "tokens", eventType: "llm.request", aggregation: .sum,
                    value: ValuePath("$.total_tokens"), unit: "token",
                    groupBy: [.init(name: "model", path: ValuePath(members: ["model"]))]),
                MeterDefinition(key: "requests", eventType: "gate.call", aggregation: .count),
                MeterDefinition(
                    key: "users", eventType: "llm.request", aggregation: .unique,
                    value: ValuePath("$.user"),
                    filters: [
                        .init(path: ValuePath(members: ["kind"]), accepted: ["login"])
                    ]),
            ],
            features: [
                FeatureDefinition(key: "tokens", type: .metered, meter: "tokens"),
                FeatureDefinition(
                    key: "api_calls", type: .metered, meter: "requests", counting: .admission),
                FeatureDefinition(key: "sso", type: .boolean),
                FeatureDefinition(key: "region", type: .static),
            ],
            plans: [
                PlanDefinition(
                    key: "pro",
                    entitlements: [
                        "tokens": .metered(
                            MeteredEntitlement(
                                limit: tokenLimit, period: .month,
                                thresholds: [.share(basisPoints: 8_000)],
                                enforcement: enforcement)),
                        "api_calls": .metered(
                            MeteredEntitlement(
                                limit: callLimit, period: .month, enforcement: .hard)),
                        "sso": .boolean(true), "region": .value("eu"),
                    ])
            ],
            customers: [
                CustomerDefinition(
                    id: "acme", subjects: subjects,
                    subscription: .init(plan: "pro", start: Timestamp(seconds: 0))),
                CustomerDefinition(id: "free", subjects: ["key_free"]),
            ])
    }

    static func event(
        _ id: String, tokens: String = "10", subject: String = "key_1",
        time: String? = "2026-11-21T10:00:00Z", type: String = "llm.request", model: String = "m1"
    ) -> String {
        let at = time.map { ",\"time\":\"\($0)\"" } ?? ""
        return """
            {"specversion":"1.0","id":"\(id)","source":"/api","type":"\(type)","subject":"\(subject)"\
            \(at),"data":{"total_tokens":\(tokens),"model":"\(model)"}}
            """
    }
}
