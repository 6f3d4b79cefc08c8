import Billing
import Enforcement
import Logging
import MeteringModel
import MeteringPorts
import Provisioning
import SQLBilling
import YAMLCatalog

/// Billing, opened: statements and what closes and adjusts them.
struct BillingParts: Sendable {
    let store: SQLBilling
    let engine: BillingEngine
    let service: BillingService
    private let logger: Logger

    /// - Parameters:
    ///   - cumulative: usage inside of periods.
    ///   - events: nil where the log cannot be searched.
    init(
        _ store: SQLBilling, _ stores: Stores, _ configuration: Configuration,
        limits: LimitResolver, cumulative: any CumulativeUsage, events: (any EventLookup)?,
        completeTo: @escaping @Sendable () -> Timestamp?, logger: Logger
    ) {
        self.store = store
        self.logger = logger
        var settings = BillingSettings()
        settings.graceSeconds = configuration.billingGraceHours * 3_600
        let sources = BillingSources(
            catalog: stores.control.engine.current,
            contracts: ContractSource(stores.control.store), queries: stores.ledger,
            cumulative: cumulative, store: store,
            limits: { snapshot in limits.rule(in: snapshot) },
            zone: { try? ZoneFiles.load($0) }, completeTo: completeTo, clock: stores.clock,
            settings: settings, logger: logger)
        engine = BillingEngine(sources)
        service = BillingService(sources, engine: engine, events: events)
    }

    static func open(_ configuration: Configuration) throws -> SQLBilling {
        try SQLBilling(path: configuration.dataDirectory + "/billing.db")
    }

    /// Two tasks that run until they are cancelled.
    func start() -> [Task<Void, Never>] {
        let work = BillingWork(engine: engine, logger: logger)
        return [Task { await work.follow() }, Task { await work.close() }]
    }
}
