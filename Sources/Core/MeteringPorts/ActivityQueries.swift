package import MeteringModel

/// Who used anything lately, and how much of everything: what signals are looked for in.
package protocol ActivityQueries: AnyObject, Sendable {
    /// Customers with usage in days that begin in [from, to), each once. Goes through all rollups
    /// of these days, so ask for few.
    func activeCustomers(
        from: Timestamp, to: Timestamp
    ) throws(LedgerError) -> [CustomerID]
    /// Day rollups of some customers, of every meter, that begin in [from, to): each customer's by
    /// start, then meter. Costs two look-ups per day on which anybody used anything, and for each
    /// customer one per day at most; customers who are neighbours by their ids cost less.
    func dayUsage(
        of customers: [CustomerID], from: Timestamp, to: Timestamp
    ) throws(LedgerError) -> [CustomerID: [MeterDay]]
    /// Hour rollups of one meter and some customers that begin in [from, to): each customer's by
    /// start, then dimensions. Costs as much for each hour as `dayUsage` for each day.
    func hourUsage(
        of customers: [CustomerID], _ meter: MeterKey, from: Timestamp, to: Timestamp
    ) throws(LedgerError) -> [CustomerID: [StoredRollup]]
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
