import Entitlements
import Logging
import MeteringModel
import MeteringPorts

/// Drops rollups that are older than they need be, a little at a time, so that metering never waits
/// long. What is dropped is still in the coarser rollups, so no total changes.
///
/// What fails is tried again later; metering goes on meanwhile.
struct RollupRetention {
    let ledger: any UsageLedger
    let queries: any LedgerQueries
    let settings: MeteringSettings
    let logger: Logger

    private(set) var areMonthsFilled = false
    private var due: [(window: RollupWindow, before: Timestamp)] = []

    /// Rows of one transaction.
    private static let rowsPerStep = 2_000
    /// Months that sets of dimension values are remembered for, with the one under way.
    static let dimensionMonths: Int32 = 4

    init(
        ledger: any UsageLedger, queries: any LedgerQueries, settings: MeteringSettings,
        logger: Logger
    ) {
        self.ledger = ledger
        self.queries = queries
        self.settings = settings
        self.logger = logger
    }

    /// Makes months of what an earlier version has counted, by the zones of now. Nothing may be
    /// counted before.
    mutating func fillMonths(_ snapshot: CatalogSnapshot) throws(LedgerError) {
        if areMonthsFilled { return }
        let count = try ledger.fillMonths { customer, day in
            let zone = snapshot.customerIndex(customer).map { snapshot.customer($0).zone }
            return Segments.month(day, zone ?? .utc).start
        }
        if count > 0 { logger.info("month rollups were made of \(count) day rollups") }
        areMonthsFilled = true
    }

    /// Looks for what has grown too old. Periods that are open, or closed so lately that they may
    /// still change, keep their rollups.
    mutating func look(now: Timestamp) {
        do throws(LedgerError) {
            try find(now)
        } catch {
            logger.warning("old rollups stay for now: \(error.message)")
        }
    }

    private mutating func find(_ now: Timestamp) throws(LedgerError) {
        try ledger.pruneDimensionSets(
            before: Segments.monthNumber(now) - Self.dimensionMonths + 1)
        let kept = try queries.rollupsKept()
        let open = try queries.periodsBegin(
            endingAfter: now.adding(seconds: -settings.closingGraceSeconds))
        func horizon(_ seconds: Int64) -> Timestamp {
            let old = now.adding(seconds: -seconds)
            let day = min(old, open ?? old).seconds.floorDivided(by: 86_400)
            return Timestamp(seconds: day * 86_400)
        }
        due.removeAll()
        let hours = horizon(settings.hourRollupSeconds)
        if hours > kept.hoursFrom { due.append((.hour, hours)) }
        if settings.dayRollupSeconds > 0 {
            let days = horizon(settings.dayRollupSeconds)
            if days > kept.daysFrom { due.append((.day, days)) }
        }
    }

    /// One small transaction, when there is something to drop.
    mutating func step() {
        guard let next = due.last else { return }
        do throws(LedgerError) {
            let hasMore = try ledger.pruneRollups(
                next.window, before: next.before, limit: Self.rowsPerStep)
            if !hasMore { due.removeLast() }
        } catch {
            logger.warning("old rollups stay for now: \(error.message)")
            due.removeAll()
        }
    }
}
