package import MeteringModel

/// Who used anything lately, and how much of everything: what signals are looked for in.
package protocol ActivityQueries: AnyObject, Sendable {
    /// Customers with usage in days that begin in [from, to), each once. Goes through all rollups
    /// of these days, so ask for few.
    func activeCustomers(
        from: Timestamp, to: Timestamp
    ) throws(LedgerError) -> [CustomerID]
    /// One customer's day rollups of every meter that begin in [from, to), by start, then meter.
    /// Costs two look-ups per day on which anybody used anything.
    func dayUsage(
        of customer: CustomerID, from: Timestamp, to: Timestamp
    ) throws(LedgerError) -> [MeterDay]
}

/// A meter's usage of one customer in one day, all dimensions apart.
package struct MeterDay: Sendable, Hashable {
    package var meter: MeterKey
    package var start: Timestamp
    package var aggregation: Aggregation
    package var state: UsageState
    package init(
        meter: MeterKey, start: Timestamp, aggregation: Aggregation, state: UsageState
    ) {
        self.meter = meter
        self.start = start
        self.aggregation = aggregation
        self.state = state
    }
}
