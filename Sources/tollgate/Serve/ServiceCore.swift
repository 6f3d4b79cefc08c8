import Enforcement
import Entitlements
import HTTPAPI
import Logging
import Metering
import MeteringModel
import MeteringPorts
import SQLLedger

/// The services, put together over the stores.
struct ServiceCore: Sendable {
    let stores: Stores
    let board: CounterBoard
    let tracker: UsageTracker
    let pipeline: MeteringPipeline
    let gate: QuotaGate
    let recorder: EventRecorder
    let reports: UsageReports
    let operations: OperationsReport
    let logger: Logger
    private let dedupeSeconds: Int64

    init(_ stores: Stores, _ configuration: Configuration, logger: Logger) {
        self.stores = stores
        self.logger = logger
        dedupeSeconds = configuration.dedupeDays * 86_400
        let (clock, ledger, log) = (stores.clock, stores.ledger, stores.log)
        let catalog = stores.catalog.current
        let instance = String(UInt64.random(in: .min ... .max), radix: 16)
        var settings = MeteringSettings()
        settings.dedupeWindowSeconds = configuration.dedupeDays * 86_400
        settings.maximumAgeSeconds = configuration.dedupeDays * 86_400
        board = CounterBoard(
            catalog: catalog, queries: ledger, minimumCapacity: catalog.load().quotas.count)
        let index = NearLimitIndex()
        tracker = UsageTracker(
            board: board, index: index, shared: stores.shared, queries: ledger, clock: clock)
        let counters = MeteringCounters()
        // SAFETY: the reader goes to the pipeline's thread here and is used nowhere else.
        let pipeline = unsafe MeteringPipeline(
            reader: log.reader, ledger: ledger, queries: ledger, catalog: catalog,
            observer: tracker, settings: settings, counters: counters, instance: instance,
            clock: clock, logger: logger)
        self.pipeline = pipeline
        let gate = QuotaGate(
            board: board, book: IdempotencyBook(), writer: log.writer, queries: ledger,
            shared: stores.shared, clock: clock, instance: instance, logger: logger,
            completeTo: { pipeline.completeTo })
        self.gate = gate
        recorder = EventRecorder(
            writer: log.writer, queries: ledger, control: ledger, catalog: catalog,
            settings: settings, clock: clock)
        reports = UsageReports(
            queries: ledger, catalog: catalog,
            reconciler: Reconciler(
                pipeline: pipeline, replay: log.replay, queries: ledger, catalog: catalog,
                settings: settings, shared: stores.shared?.store, logger: logger,
                counterReading: { gate.settledUsage(customer: $0, feature: $1, period: $2) }),
            clock: clock,
            nearLimit: { over, limit, cursor throws(QueryError) in
                try index.page(
                    overBasisPoints: over, limit: limit, cursor: cursor, now: clock.now())
            },
            completeTo: { pipeline.completeTo })
        operations = OperationsReport(
            pipeline: pipeline, counters: counters, gate: gate, shared: stores.shared,
            index: index, catalog: catalog, clock: clock, preflight: log.preflight)
    }

    func makeHTTPServer(keys: [APIKey]) -> HTTPServer {
        var options = HTTPOptions(
            clock: stores.clock,
            offsetSeconds: { zone, at in ZoneOffsets.seconds(zone, at) })
        options.apiKeys = keys
        let services = HTTPServices(
            gate: gate, ingest: recorder, reporting: reports, catalog: stores.catalog,
            operations: operations, tail: pipeline.tail, logger: logger)
        return HTTPServer(services: services, options: options)
    }

    /// Once the log has been read to its end: holds, remembered answers and the near-limit index.
    func restore() throws {
        let ledger = stores.ledger
        board.restoreHolds(try ledger.openReservations())
        // As long as the log itself would take a repeated id for a duplicate.
        let since = stores.clock.now().adding(seconds: -dedupeSeconds)
        gate.book.restore(try ledger.admissions(since: since))
        tracker.refillIndex()
    }

    /// From now on a new catalog takes effect between two commits.
    func followCatalog() {
        let (pipeline, board, tracker) = (pipeline, board, tracker)
        let (recorder, logger) = (recorder, logger)
        let (catalog, ledger, clock) = (stores.catalog, stores.ledger, stores.clock)
        catalog.onApply { next in
            let problem: String? = await pipeline.betweenCommits {
                let old = catalog.current.load()
                catalog.current.replace(next)
                board.adopt(old, next)
                tracker.refillIndex()
                do {
                    try CrossingResolution.follow(
                        from: old, to: next, ledger: ledger, now: clock.now())
                    return nil
                } catch {
                    return "\(error)"
                }
            }
            if let problem { logger.warning("crossings were not resolved: \(problem)") }
            do {
                let count = try await recorder.redrive(kind: .quarantine, limit: 1_000_000)
                if count > 0 { logger.info("\(count) quarantined events have a customer now") }
            } catch {
                logger.warning("quarantine waits: \(error)")
            }
        }
    }
}
