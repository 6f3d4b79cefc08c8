package import MeteringModel
package import MeteringPorts
import SQLClient

/// Rollups over the years: months made of days, hours and days dropped when they are old.
extension SQLLedger {
    /// One transaction. Days stay as they are.
    package func fillMonths(
        start: (CustomerID, Timestamp) -> Timestamp
    ) throws(LedgerError) -> Int64 {
        var filled: Int64 = 0
        var refused: LedgerError?
        try write { (connection) throws(SQLError) in
            guard try Self.mark(.monthsMissing, connection) != nil else { return }
            let days = try connection.statement(
                """
                SELECT window_start, customer, meter, dimensions, aggregation, count, value,
                    ordered_at, distinct_members
                FROM rollups WHERE rollup_window = 'day'
                """)
            defer { days.reset() }
            let writer = LedgerWriter(connection: connection)
            while try days.step() {
                let customer = CustomerID(days.string(at: 1))
                let delta = RollupDelta(
                    customer: customer, meter: MeterKey(days.string(at: 2)), window: .month,
                    start: start(customer, days.timestamp(at: 0)),
                    dimensions: days.string(at: 3), aggregation: try days.aggregation(at: 4),
                    delta: try days.usageState(from: 5))
                do throws(LedgerError) {
                    // Rows of other windows: what the query goes through does not change.
                    try writer.addRollups([delta])
                } catch {
                    refused = error
                    throw .overflow(delta.meter)
                }
                filled += 1
            }
            try connection.execute(
                """
                INSERT INTO rollup_marks (name, at)
                SELECT '\(RollupMark.cutFrom.rawValue)', last_start + 3600000000
                FROM (SELECT max(window_start) AS last_start FROM rollups
                    WHERE rollup_window = 'hour') AS hours
                WHERE last_start IS NOT NULL
                """)
            try connection.execute(
                "DELETE FROM rollup_marks WHERE name = '\(RollupMark.monthsMissing.rawValue)'")
        }
        if let refused { throw refused }
        return filled
    }

    package func pruneRollups(
        _ window: RollupWindow, before instant: Timestamp, limit: Int
    ) throws(LedgerError) -> Bool {
        let name: RollupMark
        switch window {
        case .hour: name = .hoursFrom
        case .day: name = .daysFrom
        case .month: return false
        }
        return try write { (connection) throws(SQLError) in
            let mark = try connection.statement(
                """
                INSERT INTO rollup_marks (name, at) VALUES ($1, $2)
                ON CONFLICT (name) DO UPDATE SET at = excluded.at
                WHERE excluded.at > rollup_marks.at
                """)
            try mark.bind(name.rawValue, at: 1)
            try mark.bind(instant.microseconds, at: 2)
            try mark.run()
            let drop = try connection.statement(
                """
                DELETE FROM rollups WHERE rollup_window = $1
                    AND (window_start, customer, meter, dimensions) IN (
                        SELECT window_start, customer, meter, dimensions FROM rollups
                        WHERE rollup_window = $1 AND window_start < $2
                        ORDER BY window_start LIMIT $3)
                """)
            try drop.bind(window.rawValue, at: 1)
            try drop.bind(instant.microseconds, at: 2)
            try drop.bind(Int64(limit), at: 3)
            try drop.run()
            return connection.changedRows >= limit
        }
    }

    package func pruneDimensionSets(before month: Int32) throws(LedgerError) {
        try write { (connection) throws(SQLError) in
            let drop = try connection.statement("DELETE FROM dimension_sets WHERE month < $1")
            try drop.bind(Int64(month), at: 1)
            try drop.run()
        }
    }

    package func rollupsKept() throws(LedgerError) -> RollupsKept {
        try store.read { (connection) throws(SQLError) in
            RollupsKept(
                hoursFrom: try Self.mark(.hoursFrom, connection) ?? .distantPast,
                daysFrom: try Self.mark(.daysFrom, connection) ?? .distantPast,
                cutFrom: try Self.mark(.cutFrom, connection) ?? .distantPast)
        }
    }

    package func periodsBegin(
        endingAfter instant: Timestamp
    ) throws(LedgerError) -> Timestamp? {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                "SELECT min(period_start) FROM usage WHERE period_end > $1 AND period_start > $2")
            defer { query.reset() }
            try query.bind(instant.microseconds, at: 1)
            try query.bind(Timestamp.distantPast.microseconds, at: 2)
            return try query.step() ? query.optionalTimestamp(at: 0) : nil
        }
    }

    package func dimensionSets(since month: Int32) throws(LedgerError) -> [DimensionSet] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                "SELECT month, meter, hash FROM dimension_sets WHERE month >= $1")
            try query.bind(Int64(month), at: 1)
            return try query.rows {
                DimensionSet(
                    meter: MeterKey($0.string(at: 1)),
                    month: Int32(truncatingIfNeeded: $0.integer(at: 0)),
                    hash: UInt64(bitPattern: $0.integer(at: 2)))
            }
        }
    }

    static func mark(
        _ mark: RollupMark, _ connection: SQLConnection
    ) throws(SQLError) -> Timestamp? {
        let query = try connection.statement("SELECT at FROM rollup_marks WHERE name = $1")
        defer { query.reset() }
        try query.bind(mark.rawValue, at: 1)
        return try query.step() ? query.timestamp(at: 0) : nil
    }
}
