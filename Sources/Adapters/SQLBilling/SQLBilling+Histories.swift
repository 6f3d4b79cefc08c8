package import MeteringModel
package import MeteringPorts
import SQLClient

/// Reading of many customers at once: one snapshot, and one look at the file's locks for all.
extension SQLBilling {
    package func statements(
        of customers: [CustomerID], from first: BillingMonth, through last: BillingMonth
    ) throws(BillingStoreError) -> [CustomerID: [ClosedStatement]] {
        if customers.isEmpty { return [:] }
        return try store.readTogether { (connection) throws(SQLError) in
            var found: [CustomerID: [ClosedStatement]] = [:]
            for customer in customers {
                let statements = try connection.statements(customer, from: first, through: last)
                if !statements.isEmpty { found[customer] = statements }
            }
            return found
        }
    }

    package func pendingLines(
        of customers: [CustomerID]
    ) throws(BillingStoreError) -> [CustomerID: [StatementLine]] {
        if customers.isEmpty { return [:] }
        return try store.readTogether { (connection) throws(SQLError) in
            var found: [CustomerID: [StatementLine]] = [:]
            for customer in customers {
                let lines = try connection.pendingLines(customer)
                if !lines.isEmpty { found[customer] = lines }
            }
            return found
        }
    }

    package func histories(
        of customers: [CustomerID]
    ) throws(BillingStoreError) -> [BilledHistory] {
        if customers.isEmpty { return [] }
        return try store.readTogether { (connection) throws(SQLError) in
            var histories: [BilledHistory] = []
            for customer in customers {
                histories.append(
                    BilledHistory(
                        customer: customer,
                        statements: try connection.statements(
                            customer, from: .first, through: .last),
                        lines: try connection.allLines(customer),
                        pendingLines: try connection.pendingLines(customer),
                        marks: try connection.marks(customer, nil)))
            }
            return histories
        }
    }
}

extension BillingMonth {
    /// The earliest and the latest month there is.
    fileprivate static let first = BillingMonth(count: .min)
    fileprivate static let last = BillingMonth(count: .max)
}

extension SQLConnection {
    fileprivate func statements(
        _ customer: CustomerID, from first: BillingMonth, through last: BillingMonth
    ) throws(SQLError) -> [ClosedStatement] {
        let query = try statement(statementsText)
        try query.bind(customer.rawValue, at: 1)
        try query.bind(Int64(first.count), at: 2)
        try query.bind(Int64(last.count), at: 3)
        return try query.rows { (row) throws(SQLError) in try ClosedStatement(row: row) }
    }

    fileprivate func allLines(
        _ customer: CustomerID
    ) throws(SQLError) -> [(month: BillingMonth, line: StatementLine)] {
        let query = try statement(allLinesText)
        try query.bind(customer.rawValue, at: 1)
        return try query.rows { (row) throws(SQLError) in
            (
                month: row.month(at: StatementLine.columnCount),
                line: try StatementLine(row: row)
            )
        }
    }
}

private let statementsText = """
    SELECT \(ClosedStatement.columns) FROM statements
    WHERE customer = $1 AND month BETWEEN $2 AND $3 ORDER BY month
    """

/// The documents are most of what the lines hold, and reading them is most of what they cost.
private let allLinesText = """
    SELECT \(StatementLine.columnList(document: comparedDocument)), month
    FROM lines WHERE customer = $1 ORDER BY month, position
    """

private let comparedDocument = "CASE kind WHEN 'adjustment' THEN document ELSE 'null' END"
