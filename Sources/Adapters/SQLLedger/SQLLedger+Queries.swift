package import MeteringModel
package import MeteringPorts
import SQLClient

extension SQLLedger: LedgerQueries {
    package func liveUsage(
        endingAfter instant: Timestamp, _ body: (StoredUsage) -> Void
    ) throws(LedgerError) {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                "SELECT \(usageColumns) FROM usage WHERE period_end > $1")
            defer { query.reset() }
            try query.bind(instant.microseconds, at: 1)
            while try query.step() { body(try Self.storedUsage(query)) }
        }
    }

    package func usage(_ key: UsageKey) throws(LedgerError) -> StoredUsage? {
        try store.read { (connection) throws(SQLError) in
            try Self.storedUsage(key, try connection.statement(usageText))
        }
    }

    package func usage(_ keys: [UsageKey]) throws(LedgerError) -> [UsageKey: StoredUsage] {
        if keys.isEmpty { return [:] }
        // One snapshot, and one look at the file's locks for all of them.
        return try store.readTogether { (connection) throws(SQLError) in
            let query = try connection.statement(usageText)
            var rows: [UsageKey: StoredUsage] = [:]
            for key in keys { rows[key] = try Self.storedUsage(key, query) }
            return rows
        }
    }

    /// - Parameter query: `usageText`, reset; it is reset afterwards.
    private static func storedUsage(
        _ key: UsageKey, _ query: SQLStatement
    ) throws(SQLError) -> StoredUsage? {
        defer { query.reset() }
        try query.bind(key.period.end.microseconds, at: 1)
        try query.bind(key.period.start.microseconds, at: 2)
        try query.bind(key.customer.rawValue, at: 3)
        try query.bind(key.meter.rawValue, at: 4)
        return try query.step() ? try storedUsage(query) : nil
    }

    private static func storedUsage(_ row: SQLStatement) throws(SQLError) -> StoredUsage {
        StoredUsage(
            key: UsageKey(
                customer: CustomerID(row.string(at: 2)), meter: MeterKey(row.string(at: 3)),
                period: row.period(at: 0)),
            aggregation: try row.aggregation(at: 4), state: try row.usageState(from: 6),
            admitted: row.integer(at: 5))
    }

    /// By start, then dimensions; `from` and `to` bound the start, half-open.
    package func rollups(_ query: RollupQuery) throws(LedgerError) -> [StoredRollup] {
        try store.read { (connection) throws(SQLError) in
            let select = try connection.statement(rollupsText)
            defer { select.reset() }
            try select.bind(query.window.rawValue, at: 1)
            try select.bind(query.from.microseconds, at: 2)
            try select.bind(query.to.microseconds, at: 3)
            try select.bind(query.customer.rawValue, at: 4)
            try select.bind(query.meter.rawValue, at: 5)
            var rows: [StoredRollup] = []
            while try select.step() {
                rows.append(
                    StoredRollup(
                        start: select.timestamp(at: 0), dimensions: select.string(at: 1),
                        state: try select.usageState(from: 2)))
            }
            return rows
        }
    }

    package func rollupStarts(
        _ query: RollupQuery, limit: Int
    ) throws(LedgerError) -> [Timestamp] {
        try store.read { (connection) throws(SQLError) in
            let select = try connection.statement(rollupStartsText)
            defer { select.reset() }
            try select.bind(query.window.rawValue, at: 1)
            try select.bind(query.from.microseconds, at: 2)
            try select.bind(query.to.microseconds, at: 3)
            try select.bind(query.customer.rawValue, at: 4)
            try select.bind(query.meter.rawValue, at: 5)
            try select.bind(Int64(limit), at: 6)
            return try select.rows { $0.timestamp(at: 0) }
        }
    }

    package func rollups(
        _ window: RollupWindow, of customers: ClosedRange<CustomerID>,
        _ body: (CustomerID, MeterKey, Aggregation, StoredRollup) -> Void
    ) throws(LedgerError) {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(rollupsOfCustomersText)
            defer { query.reset() }
            try query.bind(window.rawValue, at: 1)
            try query.bind(Timestamp.distantPast.microseconds, at: 2)
            try query.bind(Timestamp.distantFuture.microseconds, at: 3)
            try query.bind(customers.lowerBound.rawValue, at: 4)
            try query.bind(customers.upperBound.rawValue, at: 5)
            while try query.step() {
                body(
                    CustomerID(query.string(at: 6)), MeterKey(query.string(at: 7)),
                    try query.aggregation(at: 8),
                    StoredRollup(
                        start: query.timestamp(at: 0), dimensions: query.string(at: 1),
                        state: try query.usageState(from: 2)))
            }
        }
    }

    package func totals() throws(LedgerError) -> [MeterTotal] {
        let folded = try store.read { (connection) throws(SQLError) in
            var folded: [TotalKey: (aggregation: Aggregation, state: UsageState)] = [:]
            let query = try connection.statement(
                """
                SELECT customer, meter, aggregation, count, value, ordered_at, distinct_members
                FROM rollups WHERE rollup_window = $1
                """)
            defer { query.reset() }
            // Months are kept for ever. Until they are filled in, all days are there.
            let window: RollupWindow =
                try Self.mark(.monthsMissing, connection) == nil ? .month : .day
            try query.bind(window.rawValue, at: 1)
            while try query.step() {
                let key = TotalKey(
                    customer: CustomerID(query.string(at: 0)), meter: MeterKey(query.string(at: 1)))
                let aggregation = try query.aggregation(at: 2)
                let state = try query.usageState(from: 3)
                if !folded[key, default: (aggregation, UsageState())].state
                    .merge(state, aggregation)
                {
                    throw .overflow(key.meter)
                }
            }
            return folded
        }
        return folded.map { key, total in
            MeterTotal(
                customer: key.customer, meter: key.meter, count: total.state.count,
                value: total.state.reading(total.aggregation))
        }.sorted { ($0.customer, $0.meter) < ($1.customer, $1.meter) }
    }

    package func positions() throws(LedgerError) -> [PartitionClaim] {
        try store.read { (connection) throws(SQLError) in
            try connection.statement(
                "SELECT partition, epoch, next_offset, complete_to FROM positions ORDER BY partition"
            ).rows { PartitionClaim(row: $0) }
        }
    }
}

private struct TotalKey: Hashable {
    var customer: CustomerID
    var meter: MeterKey
}

private let usageColumns = """
    period_start, period_end, customer, meter, aggregation, admitted, count, value, ordered_at,
    distinct_members
    """

private let usageText = """
    SELECT \(usageColumns) FROM usage
    WHERE period_end = $1 AND period_start = $2 AND customer = $3 AND meter = $4
    """

/// Rollups are clustered by time, all customers of an hour together. So this hops from one start
/// to the next, two index look-ups per window, instead of reading everybody's rows in between.
private let rollupsText = """
    \(rollupStartsClause)
    SELECT rollups.window_start, dimensions, count, value, ordered_at, distinct_members
    FROM starts CROSS JOIN rollups
    WHERE rollups.rollup_window = $1 AND rollups.window_start = starts.window_start
        AND customer = $4 AND meter = $5
    ORDER BY rollups.window_start, dimensions
    """

private let rollupsOfCustomersText = """
    \(rollupStartsClause)
    SELECT rollups.window_start, dimensions, count, value, ordered_at, distinct_members,
        customer, meter, aggregation
    FROM starts CROSS JOIN rollups
    WHERE rollups.rollup_window = $1 AND rollups.window_start = starts.window_start
        AND customer BETWEEN $4 AND $5
    """

/// In the order of the recursion, which ends when enough starts are found.
private let rollupStartsText = """
    \(rollupStartsClause)
    SELECT starts.window_start FROM starts
    WHERE EXISTS (SELECT 1 FROM rollups WHERE rollups.rollup_window = $1
        AND rollups.window_start = starts.window_start AND customer = $4 AND meter = $5)
    LIMIT $6
    """

private let rollupStartsClause = """
    WITH RECURSIVE starts (window_start) AS (
        SELECT min(window_start) FROM rollups
        WHERE rollup_window = $1 AND window_start >= $2 AND window_start < $3
        UNION ALL
        SELECT (SELECT min(rollups.window_start) FROM rollups
            WHERE rollup_window = $1 AND rollups.window_start > starts.window_start
                AND rollups.window_start < $3)
        FROM starts WHERE starts.window_start IS NOT NULL
    )
    """
