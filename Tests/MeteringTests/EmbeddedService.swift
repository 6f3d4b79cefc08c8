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
    let restater: Restater

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
            clock: wall, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            limit: board.limits.limit,
            corrections: CorrectionSupport(ledger: ledger, replay: JournalReplay(journal)))
        self.pipeline = pipeline
        let ledger = ledger
        restater = Restater(
            ledger: ledger, catalog: current, settings: settings,
            recount: SliceRecounting.make(
                pipeline: pipeline, replay: JournalReplay(journal), queries: ledger,
                settings: settings),
            limits: { LimitResolver(catalog: CurrentCatalog($0), queries: ledger).limit })
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
                pipeline: pipeline, replay: JournalReplay(journal), ledger: ledger,
                catalog: current, settings: settings, shared: nil, clock: wall,
                counterReading: { gate.settledUsage(customer: $0, feature: $1, period: $2) }),
            clock: wall,
            nearLimit: { over, filter, limit, cursor throws(QueryError) in
                try index.page(
                    overBasisPoints: over, filter: filter, limit: limit, cursor: cursor,
                    now: wall.now())
            },
            completeTo: { pipeline.completeTo })
        pipeline.start()
        try await settle()
        board.restoreHolds(try ledger.openReservations())
        gate.book.restore(try ledger.admissions(since: .distantPast))
    }

    static func compile(
        _ catalog: Catalog, hash: KeyHash, keeping: CatalogSnapshot? = nil
    ) throws -> CatalogSnapshot {
        let definitions = try CompiledDefinitions.compile(catalog, hash: hash).get()
        return try CatalogSnapshot.compile(
            catalog, contracts: catalog.customers.map { CustomerContract($0, definitions) },
            revision: (keeping?.revision ?? 0) + 1, hash: hash, keeping: keeping,
            zone: { $0 == "UTC" ? .utc : nil }
        ).get()
    }

    /// Puts another catalog in force between two commits.
    func replace(_ next: Catalog) async throws {
        let (catalog, board, restater, now) = (catalog, board, restater, clock.now)
        let result = await pipeline.betweenCommits {
            Result {
                let old = catalog.load()
                let new = try Self.compile(next, hash: old.hash, keeping: old)
                let changed = Array(0..<new.customerCount)
                _ = try restater.restate(
                    old: old, new: new, changed: changed, since: nil, requestID: "test", now: now)
                catalog.replace(new)
                board.adopt(old, new, changed: changed)
            }
        }
        try result.get()
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
}
