import MeteringModel
import MeteringPorts

/// Usage rows of many customers that were read together; a row that was not is read when it is
/// asked for.
struct KnownUsage: Sendable {
    private let queries: any LedgerQueries
    /// Empty states where there is no row.
    private var states: [UsageKey: UsageState] = [:]

    init(_ queries: any LedgerQueries) { self.queries = queries }

    init(_ keys: [UsageKey], _ queries: any LedgerQueries) throws(BillingError) {
        self.queries = queries
        let rows = try BillingError.ledger { () throws(LedgerError) in try queries.usage(keys) }
        states.reserveCapacity(keys.count)
        for key in keys { states[key] = rows[key]?.state ?? UsageState() }
    }

    func state(_ key: UsageKey) throws(LedgerError) -> UsageState {
        if let known = states[key] { return known }
        return try queries.usage(key)?.state ?? UsageState()
    }
}
