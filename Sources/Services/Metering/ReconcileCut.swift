import Entitlements
import MeteringModel
import MeteringPorts
import UsageAggregation

/// What the ledger holds in one of its states, and that state's place in the log.
struct ReconcileCut: Sendable {
    let catalog: CatalogSnapshot
    let positions: [PartitionClaim]
    let corrected: CorrectedEvents
    let usage: [StoredUsage]
    let totals: [MeterTotal]

    /// - Parameter catalog: in force in that state.
    init(_ queries: any LedgerQueries, _ catalog: CatalogSnapshot) throws(LedgerError) {
        self.catalog = catalog
        positions = try queries.positions()
        corrected = try CorrectedEvents(queries, hash: catalog.hash)
        var usage: [StoredUsage] = []
        try queries.liveUsage(endingAfter: .distantPast) { usage.append($0) }
        self.usage = usage
        totals = try queries.totals()
    }
}

/// The log folded anew up to a cut: what its usage rows and rollup totals should be.
struct RecountedLog: Sendable {
    struct Owned: Hashable {
        var customer: CustomerID
        var meter: MeterKey
    }

    private(set) var usage: [UsageKey: (aggregation: Aggregation, state: UsageState)] = [:]
    private(set) var totals: [Owned: (aggregation: Aggregation, state: UsageState)] = [:]
    private(set) var eventsRead: Int64 = 0
    let counters: MeteringCounters

    init(
        _ cut: ReconcileCut, _ settings: MeteringSettings, _ replay: any LogReplay
    ) throws(EventLogError) {
        let recount = LogRecount(
            snapshot: cut.catalog, settings: settings, replay: replay, corrected: cut.corrected)
        counters = recount.counters
        let builder = BatchBuilder(recount.segments, settings)
        eventsRead = try recount.run(upTo: cut.positions) { fold, dimensions in
            add(builder.build(fold, dimensions: dimensions).batch)
        }
    }

    private mutating func add(_ batch: LedgerBatch) {
        for row in batch.usage + batch.corrections.flatMap(\.usage) {
            usage[row.key, default: (row.aggregation, UsageState())].state
                .merge(row.delta, row.aggregation)
        }
        let corrected = batch.corrections.flatMap(\.rollups).map(\.delta)
        for row in batch.rollups + corrected where row.window == .day {
            let key = Owned(customer: row.customer, meter: row.meter)
            totals[key, default: (row.aggregation, UsageState())].state
                .merge(row.delta, row.aggregation)
        }
    }

    /// Holds a cut against the log.
    func compare(_ cut: ReconcileCut, _ report: inout ReconcileReport) {
        var open = usage
        for row in cut.usage where Segments.isKept(row.key, cut.catalog) {
            let recounted = open.removeValue(forKey: row.key)?.state
            report.note(
                "ledger", row.key, recounted: recounted?.reading(row.aggregation) ?? 0,
                stored: row.state.reading(row.aggregation))
        }
        for (key, value) in open {
            report.note(
                "ledger", key, recounted: value.state.reading(value.aggregation), stored: 0)
        }
        compareTotals(cut, &report)
    }

    private func compareTotals(_ cut: ReconcileCut, _ report: inout ReconcileReport) {
        var open = totals
        func note(_ key: Owned, recounted: Int64, stored: Int64) {
            report.drifts.append(
                .init(
                    customer: key.customer.rawValue, meter: key.meter.rawValue, period: nil,
                    store: "rollups", recounted: recounted, stored: stored))
        }
        for total in cut.totals where cut.catalog.liveCustomer(total.customer) != nil {
            let key = Owned(customer: total.customer, meter: total.meter)
            let recounted = open.removeValue(forKey: key)
            report.rowsCompared += 1
            let value = recounted.map { $0.state.reading($0.aggregation) } ?? 0
            if value != total.value || recounted?.state.count ?? 0 != total.count {
                note(key, recounted: value, stored: total.value)
            }
        }
        for (key, value) in open where value.state != UsageState() {
            note(key, recounted: value.state.reading(value.aggregation), stored: 0)
        }
    }
}

extension ReconcileReport {
    /// Counts a row as compared, and lists it when the two differ.
    mutating func note(_ store: String, _ key: UsageKey, recounted: Int64, stored: Int64) {
        rowsCompared += 1
        if recounted == stored { return }
        drifts.append(
            .init(
                customer: key.customer.rawValue, meter: key.meter.rawValue, period: key.period,
                store: store, recounted: recounted, stored: stored))
    }
}
