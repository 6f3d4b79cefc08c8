import Entitlements
import MeteringModel
import MeteringPorts

/// Makes usage rows of periods that nobody counted while they went by, from rollups.
///
/// A bound inside of an hour that was no bound when the hour was counted takes hours cut anew
/// (`HourCutting`); an hour that could not be cut counts where its rows begin.
struct PastUsage {
    private struct Owned: Hashable {
        var customer: CustomerID
        var meter: MeterKey
    }

    private let queries: any LedgerQueries
    private let recut: [Owned: [RecutHour]]
    private let kept: RollupsKept

    init(queries: any LedgerQueries, recut: [RecutHour] = []) throws(LedgerError) {
        self.queries = queries
        self.recut = Dictionary(grouping: recut) {
            Owned(customer: $0.customer, meter: $0.meter)
        }
        kept = try queries.rollupsKept()
    }

    func row(
        _ owner: CompiledCustomer, _ meter: MeterDefinition, _ period: Period, isAdmitted: Bool
    ) throws(LedgerError) -> StoredUsage {
        let reading = RollupReading(
            owner.id, meter.key, meter.aggregation, zone: owner.zone, kept: kept
        ) { (query) throws(LedgerError) in try rollups(query) }
        let state = try reading.state(from: period.start, to: period.end)
        return StoredUsage(
            key: UsageKey(customer: owner.id, meter: meter.key, period: period),
            aggregation: meter.aggregation, state: state,
            // How much of it was charged at admission no rollup says. Where admissions count,
            // everything is taken for charged; used + under way is the same either way.
            admitted: isAdmitted && meter.aggregation.isAdditive ? state.value : 0)
    }

    /// The ledger's rows, with those of hours cut anew in their place.
    private func rollups(_ query: RollupQuery) throws(LedgerError) -> [StoredRollup] {
        var rows = try queries.rollups(query)
        guard query.window == .hour else { return rows }
        let owned = Owned(customer: query.customer, meter: query.meter)
        for hour in recut[owned] ?? [] {
            rows.removeAll { hour.hour.contains($0.start) }
            rows += hour.rows.filter { query.from <= $0.start && $0.start < query.to }
        }
        return rows
    }
}
