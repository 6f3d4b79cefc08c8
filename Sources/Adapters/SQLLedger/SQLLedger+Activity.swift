package import MeteringModel
package import MeteringPorts
import SQLClient

extension SQLLedger: ActivityQueries {
    package func activeCustomers(
        from: Timestamp, to: Timestamp
    ) throws(LedgerError) -> [CustomerID] {
        try store.read { (connection) throws(SQLError) in
            let select = try connection.statement(
                """
                SELECT DISTINCT customer FROM rollups
                WHERE rollup_window = 'day' AND window_start >= $1 AND window_start < $2
                """)
            defer { select.reset() }
            try select.bind(from.microseconds, at: 1)
            try select.bind(to.microseconds, at: 2)
            var customers: [CustomerID] = []
            while try select.step() { customers.append(CustomerID(select.string(at: 0))) }
            return customers
        }
    }

    package func dayUsage(
        of customer: CustomerID, from: Timestamp, to: Timestamp
    ) throws(LedgerError) -> [MeterDay] {
        try store.read { (connection) throws(SQLError) in
            let select = try connection.statement(dayUsageText)
            defer { select.reset() }
            try select.bind(from.microseconds, at: 1)
            try select.bind(to.microseconds, at: 2)
            try select.bind(customer.rawValue, at: 3)
            var days: [MeterDay] = []
            while try select.step() {
                days.append(
                    MeterDay(
                        meter: MeterKey(select.string(at: 1)), start: select.timestamp(at: 0),
                        aggregation: try select.aggregation(at: 2),
                        state: try select.usageState(from: 3)))
            }
            return days
        }
    }
}

/// Rollups are clustered by time, then customer: this hops from one day to the next, and reads
/// there the few rows that are the customer's.
private let dayUsageText = """
    WITH RECURSIVE starts (window_start) AS (
        SELECT min(window_start) FROM rollups
        WHERE rollup_window = 'day' AND window_start >= $1 AND window_start < $2
        UNION ALL
        SELECT (SELECT min(rollups.window_start) FROM rollups
            WHERE rollup_window = 'day' AND rollups.window_start > starts.window_start
                AND rollups.window_start < $2)
        FROM starts WHERE starts.window_start IS NOT NULL
    )
    SELECT rollups.window_start, meter, aggregation, count, value, ordered_at, distinct_members
    FROM starts CROSS JOIN rollups
    WHERE rollups.rollup_window = 'day' AND rollups.window_start = starts.window_start
        AND customer = $3
    ORDER BY rollups.window_start, meter
    """
