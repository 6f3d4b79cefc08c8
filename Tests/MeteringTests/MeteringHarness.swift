import Enforcement
import Entitlements
import Foundation
import JournalEventLog
import Logging
import Metering
import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

/// Metering with a control plane as small as can be, on a folder of its own: contracts change
/// between two commits, as the real one does it.
final class MeteringHarness: Sendable {
    static let hash = KeyHash(k0: 1, k1: 2)
    let clock: TestClock
    let ledger: SQLLedger
    let journal: EventJournal
    let pipeline: MeteringPipeline
    let recorder: EventRecorder
    let reports: UsageReports
    let restater: Restater
    let catalog: CurrentCatalog
    let replay: JournalReplay
    let corrector: EventCorrector
    let records = MemoryRecords()
    let counters = MeteringCounters()

    init(
        _ folder: String, _ snapshot: CatalogSnapshot, clock: TestClock, ledger name: String = "a",
        outbox: (any NotificationOutbox)? = nil, recounts: Bool = true,
        changing: (inout MeteringSettings) -> Void = { _ in }
    ) async throws {
        self.clock = clock
        let wall = clock.wall
        let directory = folder + "/" + name
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        let ledger = try SQLLedger(path: directory + "/ledger.db")
        self.ledger = ledger
        let catalog = CurrentCatalog(snapshot)
        self.catalog = catalog
        journal = try EventJournal(path: folder + "/journal.db", clock: wall)
        var settings = MeteringSettings()
        settings.commitIntervalMilliseconds = 5
        settings.maximumAgeSeconds = 400 * 86_400
        changing(&settings)
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let pipeline = MeteringPipeline(
            reader: try journal.makeReader(), ledger: ledger, queries: ledger, catalog: catalog,
            observer: Unobserved(), settings: settings, counters: counters,
            instance: "a", clock: wall, logger: logger, outbox: outbox,
            limit: LimitResolver(catalog: catalog, queries: ledger).limit,
            corrections: recounts
                ? CorrectionSupport(ledger: ledger, replay: JournalReplay(journal)) : nil)
        self.pipeline = pipeline
        corrector = EventCorrector(
            .init(
                writer: journal, replay: JournalReplay(journal), queries: ledger,
                catalog: catalog, records: records,
                isInTree: { $0.rawValue.hasPrefix($1.rawValue) },
                owner: { subject, _ in
                    let snapshot = catalog.load()
                    return snapshot.customerIndex(ofSubject: subject).map {
                        snapshot.customer($0).id
                    }
                }, clock: wall), settings: settings)
        recorder = EventRecorder(
            writer: journal, queries: ledger, control: ledger, catalog: catalog,
            settings: settings, clock: wall)
        replay = JournalReplay(journal)
        let replay = replay
        restater = Restater(
            ledger: ledger, catalog: catalog, settings: settings,
            recount: SliceRecounting.make(
                pipeline: pipeline, replay: replay, queries: ledger, settings: settings),
            limits: { LimitResolver(catalog: CurrentCatalog($0), queries: ledger).limit })
        reports = UsageReports(
            queries: ledger, catalog: catalog,
            reconciler: Reconciler(
                pipeline: pipeline, replay: replay, ledger: ledger, catalog: catalog,
                settings: settings, shared: nil, clock: wall,
                counterReading: { _, _, _ in nil }),
            clock: wall, nearLimit: { _, _, _, _ throws(QueryError) in ([], nil) },
            completeTo: { pipeline.completeTo })
        pipeline.start()
        try await settle()
    }

    static func compile(
        _ catalog: Catalog, _ contracts: [CustomerContract], revision: Int64 = 1,
        keeping: CatalogSnapshot? = nil
    ) throws -> CatalogSnapshot {
        try CatalogSnapshot.compile(
            catalog, contracts: contracts, revision: revision, hash: hash, keeping: keeping,
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

    /// Events of `tokens` units; each its own identity.
    func use(_ tokens: Int64, _ subject: String = "key_1", at: String, id: String? = nil)
        async throws
    {
        let name = id ?? "\(subject)/\(at)/\(journal.endOffset)"
        try await send([Sample.event(name, tokens: "\(tokens)", subject: subject, time: at)])
        try await settle()
    }

    /// Puts changed contracts in force and restates what they touch.
    @discardableResult
    func change(
        _ contracts: [CustomerContract], since: String? = nil, request: String = "r1"
    ) async throws -> Restatement {
        try await replace(since: since, request: request) { old in
            let update = try old.updating(contracts, revision: old.revision + 1).get()
            return (update.snapshot, update.changed)
        }
    }

    @discardableResult
    func replace(
        since: String? = nil, request: String = "r1",
        _ make: @escaping @Sendable (CatalogSnapshot) throws -> (CatalogSnapshot, [Int])
    ) async throws -> Restatement {
        let instant = since.flatMap { Timestamp(rfc3339: $0) }
        let (catalog, restater, now) = (catalog, restater, clock.now)
        let result = await pipeline.betweenCommits {
            Result {
                let old = catalog.load()
                let (new, changed) = try make(old)
                let restatement = try restater.restate(
                    old: old, new: new, changed: changed, since: instant, requestID: request,
                    now: now)
                catalog.replace(new)
                return restatement
            }
        }
        return try result.get()
    }

    func boundaryPassed(_ customers: [CustomerID]) async throws -> Restatement {
        let (catalog, restater, now) = (catalog, restater, clock.now)
        return try await pipeline.betweenCommits {
            Result {
                let numbers = customers.compactMap { catalog.load().customerIndex($0) }
                return try restater.boundaryPassed(changed: numbers, now: now)
            }
        }.get()
    }

    /// What the ledger holds of a customer's tokens in a period; nil without a row.
    func row(
        _ customer: CustomerID, _ from: String, _ to: String, meter: MeterKey = "tokens"
    ) throws -> Int64? {
        let start = try #require(Timestamp(rfc3339: from + "T00:00:00Z"))
        let end = try #require(Timestamp(rfc3339: to + "T00:00:00Z"))
        let key = UsageKey(customer: customer, meter: meter, period: Period(start: start, end: end))
        return try ledger.usage(key)?.state.value
    }

    /// All rows whose periods the timelines keep, as text.
    func keptRows() throws -> Set<String> {
        var rows: Set<String> = []
        try ledger.liveUsage(endingAfter: .distantPast) { row in
            rows.insert(
                "\(row.key.customer) \(row.key.meter) \(row.key.period.start.seconds) "
                    + "\(row.key.period.end.seconds) \(row.state.count) \(row.state.value)")
        }
        return rows
    }

    func openCrossings() throws -> [String] {
        try ledger.crossings(customer: nil, since: nil, after: 0, limit: 1_000)
            .map(\.crossing).filter { $0.resolvedAt == nil }
            .map { "\($0.customer) \($0.threshold.label) of \($0.limit.finite ?? -1)" }.sorted()
    }

    func stop() async {
        await journal.close()
        await pipeline.stop()
        ledger.close()
    }

    private final class Unobserved: UsageObserver {
        func usageCommitted(_ usage: CommittedUsage) {}
        func partitionsClaimed(_ claims: [PartitionClaim]) {}
        var wantsRebuild: Bool { false }
        func rebuild(positions: [PartitionClaim]) {}
    }
}

/// Contracts and definitions of the timeline tests.
enum Contracts {
    static func plan(
        _ key: PlanKey, _ limit: Int64, _ period: PeriodUnit = .month,
        _ anchor: MeteredEntitlement.Anchor = .calendar
    ) -> PlanDefinition {
        PlanDefinition(
            key: key, version: 1,
            entitlements: [
                "tokens": .metered(
                    MeteredEntitlement(
                        limit: .finite(limit), period: period, anchor: anchor,
                        thresholds: [.share(basisPoints: 8_000)], enforcement: .soft)),
                "api_calls": .metered(
                    MeteredEntitlement(limit: .finite(limit), period: period, anchor: anchor)),
            ])
    }

    static var catalog: Catalog {
        var catalog = Sample.catalog()
        catalog.customers = []
        catalog.plans = [
            plan("basic", 1_000), plan("pro", 5_000), plan("yearly", 12_000, .year),
            plan("anchored", 1_000, .month, .subscription), plan("hourly", 100, .hour),
        ]
        return catalog
    }

    static func subscription(
        _ plan: PlanKey, from: String, to: String? = nil
    ) -> SubscriptionTerms {
        SubscriptionTerms(
            plan: plan, planVersion: 1, start: Timestamp(rfc3339: from) ?? .distantPast,
            end: to.flatMap { Timestamp(rfc3339: $0) })
    }

    static func customer(
        _ id: CustomerID, subjects: [SubjectID] = ["key_1"], parent: CustomerID? = nil,
        _ subscriptions: [SubscriptionTerms] = []
    ) -> CustomerContract {
        CustomerContract(
            id: id,
            profile: Dated(
                CustomerProfile(parent: parent, subjects: subjects.map { .init($0) })),
            subscriptions: subscriptions.enumerated().map {
                .init(id: "\(id):\($0)", terms: Dated($1))
            })
    }
}
