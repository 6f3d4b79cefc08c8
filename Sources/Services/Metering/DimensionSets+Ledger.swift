import MeteringPorts
import UsageAggregation

extension DimensionSets {
    /// All that the ledger remembers, so that a recount keeps the same sets apart.
    init(_ queries: any LedgerQueries) throws(LedgerError) {
        self.init()
        for set in try queries.dimensionSets(since: .min) { restore(set) }
    }

    mutating func restore(_ set: DimensionSet) {
        restore(set.hash, at: Place(meter: set.meter, month: set.month))
    }
}
