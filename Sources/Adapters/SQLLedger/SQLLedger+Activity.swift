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
        of customers: [CustomerID], from: Timestamp, to: Timestamp
    ) throws(LedgerError) -> [CustomerID: [MeterDay]] {
        var found: [CustomerID: [MeterDay]] = [:]
        let walk = RollupWalk(window: .day, customers: customers, text: dayUsageText)
        try forEachRow(walk, from, to) { (customer, start, row) throws(SQLError) in
            found[customer, default: []].append(
                MeterDay(
                    meter: MeterKey(row.string(at: 1)), start: start,
                    aggregation: try row.aggregation(at: 2), state: try row.usageState(from: 3)))
        }
        return found
    }

    package func hourUsage(
        of customers: [CustomerID], _ meter: MeterKey, from: Timestamp, to: Timestamp
    ) throws(LedgerError) -> [CustomerID: [StoredRollup]] {
        var found: [CustomerID: [StoredRollup]] = [:]
        let walk = RollupWalk(
            window: .hour, customers: customers, text: hourUsageText, meter: meter)
        try forEachRow(walk, from, to) { (customer, start, row) throws(SQLError) in
            found[customer, default: []].append(
                StoredRollup(
                    start: start, dimensions: row.string(at: 1),
                    state: try row.usageState(from: 2)))
        }
        return found
    }

    /// By start, then customer; all as of one instant.
    private func forEachRow(
        _ walk: RollupWalk, _ from: Timestamp, _ to: Timestamp,
        _ body: (CustomerID, Timestamp, SQLStatement) throws(SQLError) -> Void
    ) throws(LedgerError) {
        if walk.customers.isEmpty { return }
        try store.readTogether { (connection) throws(SQLError) in
            var next = from
            while let start = try walk.start(connection, from: next, before: to) {
                try walk.rows(connection, at: start) { (customer, row) throws(SQLError) in
                    try body(customer, start, row)
                }
                next = Timestamp(microseconds: start.microseconds + 1)
            }
        }
    }
}

/// Reads rollups of some customers. Rollups are clustered by time, then customer: the rows of one
/// start lie in the order of ids, so this goes along them and the wanted customers together.
private struct RollupWalk {
    /// Rows of customers who are not wanted that are passed over before the next who is wanted is
    /// looked up: about what a look-up costs. So neighbours are read in one go, single ones found.
    private static let rowsPassedMax = 8

    let window: RollupWindow
    /// Ascending, each once.
    let customers: [CustomerID]
    let text: String
    /// The fourth parameter of the text; nil: it has none.
    let meter: MeterKey?

    init(window: RollupWindow, customers: [CustomerID], text: String, meter: MeterKey? = nil) {
        self.window = window
        self.customers = Set(customers).sorted()
        self.text = text
        self.meter = meter
    }

    /// The first start at or after `from` of any customer's rows.
    func start(
        _ connection: SQLConnection, from: Timestamp, before to: Timestamp
    ) throws(SQLError) -> Timestamp? {
        let query = try connection.statement(
            """
            SELECT min(window_start) FROM rollups
            WHERE rollup_window = $1 AND window_start >= $2 AND window_start < $3
            """)
        defer { query.reset() }
        try query.bind(window.rawValue, at: 1)
        try query.bind(from.microseconds, at: 2)
        try query.bind(to.microseconds, at: 3)
        return try query.step() && !query.isNull(at: 0) ? query.timestamp(at: 0) : nil
    }

    func rows(
        _ connection: SQLConnection, at start: Timestamp,
        _ body: (CustomerID, SQLStatement) throws(SQLError) -> Void
    ) throws(SQLError) {
        let select = try connection.statement(text)
        defer { select.reset() }
        var place = 0
        while place < customers.count {
            select.reset()
            try select.bind(start.microseconds, at: 1)
            try select.bind(customers[place].rawValue, at: 2)
            try select.bind(customers[customers.count - 1].rawValue, at: 3)
            if let meter { try select.bind(meter.rawValue, at: 4) }
            var passed = 0
            while passed <= Self.rowsPassedMax {
                if try !select.step() { return }
                let customer = CustomerID(select.string(at: 0))
                while place < customers.count, customers[place] < customer { place += 1 }
                guard place < customers.count else { return }
                if customers[place] == customer {
                    try body(customer, select)
                    passed = 0
                } else {
                    passed += 1
                }
            }
        }
    }
}

private let dayUsageText = """
    SELECT customer, meter, aggregation, count, value, ordered_at, distinct_members FROM rollups
    WHERE rollup_window = 'day' AND window_start = $1 AND customer >= $2 AND customer <= $3
    ORDER BY customer, meter
    """

private let hourUsageText = """
    SELECT customer, dimensions, count, value, ordered_at, distinct_members FROM rollups
    WHERE rollup_window = 'hour' AND window_start = $1 AND customer >= $2 AND customer <= $3
        AND meter = $4
    ORDER BY customer, dimensions
    """
