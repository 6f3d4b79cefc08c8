package import MeteringModel
package import MeteringPorts
import SQLClient

extension SQLBilling: BillingStore {
    package func close(
        _ closings: [StatementClosing]
    ) throws(BillingStoreError) -> [ClosedStatement?] {
        try store.transaction { (connection) throws(BillingStoreError) in
            var closed: [ClosedStatement?] = []
            for closing in closings {
                closed.append(try StatementWriter(connection, closing).write())
            }
            return closed
        }
    }

    package func statement(
        _ customer: CustomerID, _ month: BillingMonth
    ) throws(BillingStoreError) -> ClosedStatement? {
        try store.read { (connection) throws(SQLError) in
            try connection.statement(customer, month)
        }
    }

    package func statements(
        customer: CustomerID?, month: BillingMonth?, after: StatementPlace?, limit: Int
    ) throws(BillingStoreError) -> [ClosedStatement] {
        try store.read { (connection) throws(SQLError) in
            // SQLite numbers parameters in the order in which they first appear.
            var conditions = ["(month, customer) > ($1, $2)"]
            if month != nil { conditions.append("month = $\(conditions.count + 2)") }
            if customer != nil { conditions.append("customer = $\(conditions.count + 2)") }
            let query = try connection.statement(
                """
                SELECT \(ClosedStatement.columns) FROM statements
                WHERE \(conditions.joined(separator: " AND "))
                ORDER BY month, customer LIMIT $\(conditions.count + 2)
                """)
            try query.bind(Int64(after?.month.count ?? 0), at: 1)
            try query.bind(after?.customer.rawValue ?? "", at: 2)
            var place: Int32 = 3
            if let month {
                try query.bind(Int64(month.count), at: place)
                place += 1
            }
            if let customer {
                try query.bind(customer.rawValue, at: place)
                place += 1
            }
            try query.bind(Int64(max(0, limit)), at: place)
            return try query.rows { (row) throws(SQLError) in try ClosedStatement(row: row) }
        }
    }

    package func statements(
        afterSequence sequence: Int64, limit: Int
    ) throws(BillingStoreError) -> [ClosedStatement] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT \(ClosedStatement.columns) FROM statements WHERE sequence > $1
                ORDER BY sequence LIMIT $2
                """)
            try query.bind(sequence, at: 1)
            try query.bind(Int64(max(0, limit)), at: 2)
            return try query.rows { (row) throws(SQLError) in try ClosedStatement(row: row) }
        }
    }

    package func lines(
        _ customer: CustomerID, _ month: BillingMonth
    ) throws(BillingStoreError) -> [StatementLine] {
        try store.read { (connection) throws(SQLError) in try connection.lines(customer, month) }
    }
}

extension SQLConnection {
    func statement(
        _ customer: CustomerID, _ month: BillingMonth
    ) throws(SQLError) -> ClosedStatement? {
        let query = try statement(
            "SELECT \(ClosedStatement.columns) FROM statements WHERE customer = $1 AND month = $2")
        try query.bind(customer.rawValue, at: 1)
        try query.bind(Int64(month.count), at: 2)
        return try query.rows { (row) throws(SQLError) in try ClosedStatement(row: row) }.first
    }

    /// Also without a statement, when the month's charges were billed by adjustments.
    func isClosed(_ customer: CustomerID, _ month: BillingMonth) throws(SQLError) -> Bool {
        if try statement(customer, month) != nil { return true }
        return try !adjustments(customer, month).isEmpty
    }

    func lines(
        _ customer: CustomerID, _ month: BillingMonth
    ) throws(SQLError) -> [StatementLine] {
        let query = try statement(
            """
            SELECT \(StatementLine.columns) FROM lines WHERE customer = $1 AND month = $2
            ORDER BY position
            """)
        try query.bind(customer.rawValue, at: 1)
        try query.bind(Int64(month.count), at: 2)
        return try query.rows { (row) throws(SQLError) in try StatementLine(row: row) }
    }

    func pendingLines(_ customer: CustomerID) throws(SQLError) -> [StatementLine] {
        let query = try statement(
            """
            SELECT \(StatementLine.columns) FROM pending_lines WHERE customer = $1
            ORDER BY sequence
            """)
        try query.bind(customer.rawValue, at: 1)
        return try query.rows { (row) throws(SQLError) in try StatementLine(row: row) }
    }
}

/// One closing inside of a transaction.
private struct StatementWriter {
    let connection: SQLConnection
    let closing: StatementClosing

    init(_ connection: SQLConnection, _ closing: StatementClosing) {
        self.connection = connection
        self.closing = closing
    }

    /// - Returns: nil, and nothing is written, when the month is closed already.
    func write() throws(BillingStoreError) -> ClosedStatement? {
        do throws(SQLError) {
            if try connection.isClosed(closing.customer, closing.month) { return nil }
            let lines = closing.lines + (try connection.pendingLines(closing.customer))
            let totals = try Self.totals(lines)
            try insertStatement(lineCount: lines.count, totals)
            for (position, line) in lines.enumerated() { try insert(line, at: position) }
            try dropPending()
            for mark in closing.marks { try connection.note(mark) }
            return try connection.statement(closing.customer, closing.month)
        } catch {
            throw BillingStoreError(error)
        }
    }

    private static func totals(_ lines: [StatementLine]) throws(SQLError) -> [Currency: Int64] {
        var totals: [Currency: Int64] = [:]
        for line in lines {
            let (sum, isOver) = totals[line.currency, default: 0]
                .addingReportingOverflow(line.amount)
            if isOver {
                throw SQLError(
                    code: .outOfRange, rawCode: 0,
                    message: "the lines of a statement add up to more than 64 bits hold")
            }
            totals[line.currency] = sum
        }
        return totals
    }

    private func insertStatement(
        lineCount: Int, _ totals: [Currency: Int64]
    ) throws(SQLError) {
        let insert = try connection.statement(
            """
            INSERT INTO statements (customer, month, zone, period_start, period_end, closed_at,
                closed_by, reason, revision, line_count, totals)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            """)
        try insert.bind(closing.customer.rawValue, at: 1)
        try insert.bind(Int64(closing.month.count), at: 2)
        try insert.bind(closing.zone, at: 3)
        try insert.bind(closing.period.start.microseconds, at: 4)
        try insert.bind(closing.period.end.microseconds, at: 5)
        try insert.bind(closing.closedAt.microseconds, at: 6)
        try insert.bind(closing.closedBy, at: 7)
        try insert.bind(optional: closing.reason, at: 8)
        try insert.bind(closing.revision, at: 9)
        try insert.bind(Int64(lineCount), at: 10)
        let document = JSONValue.object(
            Dictionary(uniqueKeysWithValues: totals.map { ($0.key.code, .integer($0.value)) }))
        try insert.bind(document.canonicalText, at: 11)
        try insert.run()
    }

    private func insert(_ line: StatementLine, at position: Int) throws(SQLError) {
        let insert = try connection.statement(
            """
            INSERT INTO lines (month, position, \(StatementLine.columns))
            VALUES (\(StatementLine.parameters(after: 2)))
            """)
        try insert.bind(Int64(closing.month.count), at: 1)
        try insert.bind(Int64(position), at: 2)
        try line.bind(to: insert, of: closing.customer, after: 2)
        try insert.run()
    }

    /// All of them went into the statement: the transaction holds the only writing connection.
    private func dropPending() throws(SQLError) {
        let delete = try connection.statement("DELETE FROM pending_lines WHERE customer = $1")
        try delete.bind(closing.customer.rawValue, at: 1)
        try delete.run()
    }
}
