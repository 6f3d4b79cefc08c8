package import Entitlements
package import MeteringModel
package import MeteringPorts

/// Usage of a period up to any instant in it, from rollups.
///
/// Exact at every instant at which entitlements or periods of the customer change, as its hours are
/// divided there. At others, and in hours that could not be divided, usage counts where the stretch
/// of the hour begins; where hours are not kept any more, where its day begins.
package final class CutUsage: CumulativeUsage {
    private let queries: any LedgerQueries
    private let catalog: CurrentCatalog

    package init(queries: any LedgerQueries, catalog: CurrentCatalog) {
        self.queries = queries
        self.catalog = catalog
    }

    /// - Throws: `.misconfigured` when the catalog has no such customer or meter.
    package func states(
        customer: CustomerID, meter: MeterKey, period: Period, upTo cuts: [Timestamp]
    ) throws(LedgerError) -> [UsageState] {
        let snapshot = catalog.load()
        guard let number = snapshot.customerIndex(customer) else {
            throw LedgerError(code: .misconfigured, message: "no customer \(customer)")
        }
        guard let index = snapshot.meterIndex(meter) else {
            throw LedgerError(code: .misconfigured, message: "no meter \(meter)")
        }
        let aggregation = snapshot.meters[index].aggregation
        let queries = queries
        let reading = RollupReading(
            customer, meter, aggregation, zone: snapshot.customer(number).zone,
            kept: try queries.rollupsKept()
        ) { (query) throws(LedgerError) in try queries.rollups(query) }
        var sum = UsageState()
        var states: [UsageState] = []
        var from = period.start
        for cut in cuts {
            let to = min(max(cut, from), period.end)
            let part = try reading.state(from: from, to: to)
            guard sum.merge(part, aggregation) else {
                throw LedgerError(
                    code: .overflow,
                    message: "usage of meter \(meter) by customer \(customer) leaves the range of "
                        + "64-bit units; give it a shorter period")
            }
            states.append(sum)
            from = to
        }
        return states
    }
}
