import MeteringModel
import MeteringPorts

/// Goes through the closed statements of a month, by customer, line by line.
struct StatementWalk: Sendable {
    let store: any BillingStore
    let month: BillingMonth
    /// Nil: all.
    let customer: CustomerID?

    /// A line's place: the customer whose statement it is in, and its number there, from 0.
    struct Place: Sendable, Hashable {
        var customer: CustomerID
        var position: Int

        /// For cursors: the position first, as a customer's id may hold anything.
        var text: String { "\(position):\(customer)" }

        init(customer: CustomerID, position: Int) {
            self.customer = customer
            self.position = position
        }

        /// Nil when it is not such a text.
        init?(_ text: String) {
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let position = Int(parts[0]), position >= 0, !parts[1].isEmpty
            else { return nil }
            self.init(customer: CustomerID(parts[1]), position: position)
        }
    }

    private static let statementsAtATime = 100

    /// - Parameter start: the first line; nil: the first of all.
    /// - Returns: at most `limit` rows, and the place of the one behind them.
    func rows(
        from start: Place?, limit: Int
    ) throws(BillingStoreError) -> (rows: [StatementRow], next: Place?) {
        var found: [StatementRow] = []
        var place = start
        var after: StatementPlace?
        if let start, let statement = try store.statement(start.customer, month) {
            after = statement.place
            if let next = try add(statement, from: start.position, to: &found, limit) {
                return (found, next)
            }
        } else if let start {
            after = StatementPlace(month: month, customer: start.customer)
        }
        while true {
            let statements = try store.statements(
                customer: customer, month: month, after: after, limit: Self.statementsAtATime)
            for statement in statements {
                place = Place(customer: statement.customer, position: 0)
                if statement.lineCount > 0, found.count == limit { return (found, place) }
                if let next = try add(statement, from: 0, to: &found, limit) {
                    return (found, next)
                }
            }
            guard let last = statements.last, customer == nil else { return (found, nil) }
            after = last.place
        }
    }

    /// - Returns: the place of the first line that there was no room for.
    private func add(
        _ statement: ClosedStatement, from position: Int, to rows: inout [StatementRow],
        _ limit: Int
    ) throws(BillingStoreError) -> Place? {
        if statement.lineCount <= position { return nil }
        let lines = try store.lines(statement.customer, month)
        let room = limit - rows.count
        rows += lines.dropFirst(position).prefix(room).map {
            StatementRow(statement: statement, line: $0)
        }
        let end = position + room
        return end < lines.count ? Place(customer: statement.customer, position: end) : nil
    }
}
