package import MeteringModel
package import MeteringPorts
import SQLClient

extension SQLBilling {
    package func billed(
        _ customer: CustomerID, _ month: BillingMonth
    ) throws(BillingStoreError) -> BilledMonth {
        try store.readTogether { (connection) throws(SQLError) in
            let statement = try connection.statement(customer, month)
            let own =
                statement == nil
                ? []
                : try connection.lines(customer, month).filter { $0.correction == nil }
            return BilledMonth(
                statement: statement, lines: own,
                adjustments: try connection.adjustments(customer, month))
        }
    }

    package func pendingLines(
        _ customer: CustomerID
    ) throws(BillingStoreError) -> [StatementLine] {
        try store.read { (connection) throws(SQLError) in try connection.pendingLines(customer) }
    }

    package func customersWithPendingLines(
        after: CustomerID?, limit: Int
    ) throws(BillingStoreError) -> [CustomerID] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT DISTINCT customer FROM pending_lines WHERE customer > $1
                ORDER BY customer LIMIT $2
                """)
            try query.bind(after?.rawValue ?? "", at: 1)
            try query.bind(Int64(max(0, limit)), at: 2)
            return try query.rows { (row) throws(SQLError) in CustomerID(row.string(at: 0)) }
        }
    }

    package func settle(_ settlement: MonthSettlement) throws(BillingStoreError) {
        try store.transaction { (connection) throws(BillingStoreError) in
            do throws(SQLError) {
                let count = try connection.adjustments(settlement.customer, settlement.month).count
                if count == settlement.base {
                    for line in settlement.lines {
                        try connection.addPending(line, settlement.customer)
                    }
                    for sequence in settlement.marks { try connection.dropMark(sequence) }
                    return
                }
            } catch {
                throw BillingStoreError(error)
            }
            throw BillingStoreError(
                code: .conflict,
                message: "\(settlement.month) of \(settlement.customer) was adjusted meanwhile",
                isRetriable: true)
        }
    }

    // MARK: marks

    package func note(
        _ marks: [BillingMark], cursor: (name: String, value: Int64)?
    ) throws(BillingStoreError) {
        try store.write { (connection) throws(SQLError) in
            for mark in marks { try connection.note(mark) }
            if let cursor { try connection.setCursor(cursor.name, cursor.value) }
        }
    }

    package func noteAll(
        from month: BillingMonth, _ cause: BillingCause, cursor: (name: String, value: Int64)?
    ) throws(BillingStoreError) {
        try store.write { (connection) throws(SQLError) in
            let insert = try connection.statement(
                """
                INSERT OR REPLACE INTO marks (customer, month, kind, id, at, due_at)
                SELECT customer, month, $1, $2, $3, $4 FROM statements WHERE month >= $5
                """)
            try insert.bind(cause.kind.rawValue, at: 1)
            try insert.bind(cause.id, at: 2)
            try insert.bind(cause.at.microseconds, at: 3)
            try insert.bind(Timestamp.distantPast.microseconds, at: 4)
            try insert.bind(Int64(month.count), at: 5)
            try insert.run()
            if let cursor { try connection.setCursor(cursor.name, cursor.value) }
        }
    }

    package func marks(
        dueBy instant: Timestamp, limit: Int
    ) throws(BillingStoreError) -> [StoredMark] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT \(StoredMark.columns) FROM marks WHERE due_at <= $1
                ORDER BY due_at, sequence LIMIT $2
                """)
            try query.bind(instant.microseconds, at: 1)
            try query.bind(Int64(max(0, limit)), at: 2)
            return try query.rows { (row) throws(SQLError) in try StoredMark(row: row) }
        }
    }

    package func marks(
        _ customer: CustomerID, _ month: BillingMonth?
    ) throws(BillingStoreError) -> [StoredMark] {
        try store.read { (connection) throws(SQLError) in try connection.marks(customer, month) }
    }
}

extension SQLConnection {
    /// Adjustments of a month, those in statements first; both in the order of their making.
    func adjustments(
        _ customer: CustomerID, _ month: BillingMonth
    ) throws(SQLError) -> [StatementLine] {
        let attached = try statement(
            """
            SELECT \(StatementLine.columns) FROM lines
            WHERE customer = $1 AND corrects_month = $2 ORDER BY month, position
            """)
        try attached.bind(customer.rawValue, at: 1)
        try attached.bind(Int64(month.count), at: 2)
        let lines = try attached.rows { (row) throws(SQLError) in try StatementLine(row: row) }
        return lines + (try pendingLines(customer).filter { $0.correction?.month == month })
    }

    /// - Parameter month: nil: those of all months.
    func marks(
        _ customer: CustomerID, _ month: BillingMonth?
    ) throws(SQLError) -> [StoredMark] {
        let query = try statement(
            """
            SELECT \(StoredMark.columns) FROM marks
            WHERE customer = $1 AND month BETWEEN $2 AND $3 ORDER BY sequence
            """)
        try query.bind(customer.rawValue, at: 1)
        try query.bind(month.map { Int64($0.count) } ?? 0, at: 2)
        try query.bind(month.map { Int64($0.count) } ?? .max, at: 3)
        return try query.rows { (row) throws(SQLError) in try StoredMark(row: row) }
    }

    func addPending(_ line: StatementLine, _ customer: CustomerID) throws(SQLError) {
        let insert = try statement(
            """
            INSERT INTO pending_lines (\(StatementLine.columns))
            VALUES (\(StatementLine.parameters()))
            """)
        try line.bind(to: insert, of: customer)
        try insert.run()
    }

    func note(_ mark: BillingMark) throws(SQLError) {
        let insert = try statement(
            """
            INSERT OR REPLACE INTO marks (customer, month, kind, id, at, due_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            """)
        try insert.bind(mark.customer.rawValue, at: 1)
        try insert.bind(Int64(mark.month.count), at: 2)
        try insert.bind(mark.cause.kind.rawValue, at: 3)
        try insert.bind(mark.cause.id, at: 4)
        try insert.bind(mark.cause.at.microseconds, at: 5)
        try insert.bind(mark.dueAt.microseconds, at: 6)
        try insert.run()
    }

    func dropMark(_ sequence: Int64) throws(SQLError) {
        let delete = try statement("DELETE FROM marks WHERE sequence = $1")
        try delete.bind(sequence, at: 1)
        try delete.run()
    }

    func setCursor(_ name: String, _ value: Int64) throws(SQLError) {
        let upsert = try statement(
            """
            INSERT INTO cursors (name, value) VALUES ($1, $2)
            ON CONFLICT (name) DO UPDATE SET value = excluded.value
            """)
        try upsert.bind(name, at: 1)
        try upsert.bind(value, at: 2)
        try upsert.run()
    }
}
