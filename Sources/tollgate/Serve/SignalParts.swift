import Entitlements
import HTTPAPI
import Logging
import MeteringModel
import MeteringPorts
import Provisioning
import SQLLedger
import Signals

/// Signals and shadow plans, put together over the stores.
struct SignalParts: Sendable {
    let signals: SignalService
    let simulation: SimulationService

    /// - Parameters:
    ///   - limit: the limits of quotas in force, grants included.
    ///   - nearLimit: a page of the maintained index.
    ///   - cumulative: usage inside of periods.
    ///   - outbox: takes what is to be told; nil: nobody is told.
    init(
        _ stores: Stores, limit: @escaping SignalSources.LimitRule,
        nearLimit: @escaping SignalSources.NearLimitPage, cumulative: any CumulativeUsage,
        outbox: (any NotificationOutbox)?, logger: Logger
    ) {
        let (control, ledger) = (stores.control, stores.ledger)
        let contracts = ContractRecords(control.store)
        signals = SignalService(
            SignalSources(
                catalog: control.engine.current, contracts: contracts, queries: ledger,
                activity: ledger, limit: limit, nearLimit: nearLimit, records: control.engine,
                outbox: outbox, clock: stores.clock, logger: logger))
        let catalog = control.catalog
        simulation = SimulationService(
            SimulationSources(
                catalog: control.engine.current, contracts: contracts, cumulative: cumulative,
                rollupsKept: { () throws(LedgerError) in try ledger.rollupsKept() },
                rehearse: { (text) throws(CatalogProblems) in try await catalog.rehearse(text) },
                zone: control.engine.zone, clock: stores.clock))
    }
}
