import Enforcement
import Entitlements
import HTTPAPI
import Logging
import Metering
import MeteringModel
import MeteringPorts
import Provisioning
import SQLLedger
import Signals

/// The services, put together over the stores.
struct ServiceCore: Sendable {
    let stores: Stores
    let board: CounterBoard
    let tracker: UsageTracker
    let pipeline: MeteringPipeline
    let gate: QuotaGate
    let recorder: EventRecorder
    let corrector: EventCorrector
    let reports: UsageReports
    let signals: SignalParts
    let operations: OperationsReport
    let billing: BillingParts
    let exports: ExportParts
    let logger: Logger
    private let dedupeSeconds: Int64
    private let settings: MeteringSettings

    init(_ stores: Stores, _ configuration: Configuration, logger: Logger) throws {
        self.stores = stores
        self.logger = logger
        dedupeSeconds = configuration.dedupeDays * 86_400
        let (clock, ledger, log) = (stores.clock, stores.ledger, stores.log)
        let catalog = stores.control.engine.current
        let instance = String(UInt64.random(in: .min ... .max), radix: 16)
        let settings = MeteringSettings(configuration)
        self.settings = settings
        board = CounterBoard(
            catalog: catalog, queries: ledger, minimumCapacity: catalog.load().customerCount)
        let index = NearLimitIndex()
        tracker = UsageTracker(
            board: board, index: index, shared: stores.shared, queries: ledger, clock: clock)
        let counters = MeteringCounters()
        let limits = board.limits
        // SAFETY: the reader goes to the pipeline's thread here and is used nowhere else.
        let pipeline = unsafe MeteringPipeline(
            reader: log.reader, ledger: ledger, queries: ledger, catalog: catalog,
            observer: tracker, settings: settings, counters: counters, instance: instance,
            clock: clock, logger: logger, outbox: stores.alerts.outbox,
            limit: limits.rule(in: nil),
            corrections: CorrectionSupport(ledger: ledger, replay: log.replay))
        self.pipeline = pipeline
        corrector = Self.corrector(stores, settings)
        let gate = QuotaGate(
            board: board, book: IdempotencyBook(), writer: log.writer, queries: ledger,
            shared: stores.shared, seats: stores.control.engine.seats, clock: clock,
            instance: instance, logger: logger,
            completeTo: { pipeline.completeTo })
        self.gate = gate
        recorder = EventRecorder(
            writer: log.writer, queries: ledger, control: ledger, catalog: catalog,
            settings: settings, clock: clock)
        let signals = SignalParts(
            stores, limit: limits.rule(in: nil),
            nearLimit: { over, limit, cursor throws(QueryError) in
                try index.page(
                    overBasisPoints: over, limit: limit, cursor: cursor, now: clock.now())
            }, cumulative: CutUsage(queries: ledger, catalog: catalog),
            outbox: stores.alerts.outbox, logger: logger)
        self.signals = signals
        reports = UsageReports(
            queries: ledger, catalog: catalog,
            reconciler: Reconciler(
                pipeline: pipeline, replay: log.replay, ledger: ledger, catalog: catalog,
                settings: settings, shared: stores.shared?.store, clock: clock,
                counterReading: { gate.settledUsage(customer: $0, feature: $1, period: $2) }),
            clock: clock,
            nearLimit: { over, filter, limit, cursor throws(QueryError) in
                var page = try index.page(
                    overBasisPoints: over, filter: filter, limit: limit, cursor: cursor,
                    now: clock.now())
                page.entries = signals.signals.refined(page.entries)
                return page
            },
            completeTo: { pipeline.completeTo })
        billing = BillingParts(
            stores.billing, stores, configuration, limits: limits,
            cumulative: CutUsage(queries: ledger, catalog: catalog),
            events: LogEventLookup(
                replay: log.replay, queries: ledger, catalog: catalog, settings: settings),
            completeTo: { pipeline.completeTo }, logger: logger)
        exports = try ExportParts(stores, configuration, logger: logger)
        operations = OperationsReport(
            pipeline: pipeline, counters: counters, gate: gate, shared: stores.shared,
            index: index, catalog: catalog, clock: clock, preflight: log.preflight,
            alerts: stores.alerts, exports: exports)
    }

    private static func corrector(
        _ stores: Stores, _ settings: MeteringSettings
    ) -> EventCorrector {
        let access = stores.control.access
        let history = SubjectHistory(
            store: stores.control.store, current: stores.control.engine.current)
        return EventCorrector(
            EventCorrector.Parts(
                writer: stores.log.writer, replay: stores.log.replay, queries: stores.ledger,
                catalog: stores.control.engine.current, records: stores.control.engine,
                isInTree: { access.isInTree($0, of: $1) },
                owner: { (subject, instant) throws(ControlProblem) in
                    try history.owner(of: subject, at: instant)
                }, clock: stores.clock), settings: settings)
    }

    func makeHTTPServer(_ configuration: Configuration) throws -> HTTPServer {
        var options = HTTPOptions(
            clock: stores.clock,
            offsetSeconds: { zone, at in ZoneOffsets.seconds(zone, at) })
        if let certificate = configuration.tlsCertificate, let key = configuration.tlsKey {
            options.tls = TLSFiles(certificateChain: certificate, privateKey: key)
        }
        options.rateLimitPerSecond = configuration.rateLimit
        options.checkRateLimitPerSecond = configuration.checkRateLimit ?? 0
        var services = HTTPServices(
            gate: gate, ingest: recorder, reporting: reports, catalog: stores.control.catalog,
            control: stores.control.service(gate: gate, ledger: stores.ledger),
            access: stores.control.access, operations: operations, tail: pipeline.tail,
            logger: logger)
        services.corrections = corrector
        services.billing = billing.service
        services.exports = exports.service
        services.alerts = stores.alerts.desk
        services.signals = signals.signals
        services.simulation = signals.simulation
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

    /// From now on changed contracts take effect between two commits.
    func followContracts() async -> ContractFollowing {
        let (ledger, current) = (stores.ledger, stores.control.engine.current)
        let board = board
        let restater = Restater(
            ledger: ledger, catalog: current, settings: settings,
            recount: SliceRecounting.make(
                pipeline: pipeline, replay: stores.log.replay, queries: ledger,
                settings: settings),
            limits: { snapshot in
                board.limits.rule(in: snapshot)
            })
        let following = ContractFollowing(
            pipeline: pipeline, board: board, tracker: tracker, restater: restater,
            quarantine: QuarantineWatch(recorder: recorder, logger: logger), current: current,
            clock: stores.clock, logger: logger)
        await stores.control.engine.publish { await following.publish($0) }
        return following
    }
}

extension MeteringSettings {
    fileprivate init(_ configuration: Configuration) {
        self.init()
        dedupeWindowSeconds = configuration.dedupeDays * 86_400
        maximumAgeSeconds = configuration.dedupeDays * 86_400
        closingGraceSeconds = configuration.billingGraceHours * 3_600
        hourRollupSeconds = configuration.rollupHoursDays * 86_400
        dayRollupSeconds = configuration.rollupDaysDays * 86_400
    }
}
