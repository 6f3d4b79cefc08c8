package import MeteringModel
package import MeteringPorts

/// A customer's month as it is shown, whether it is closed or not.
package struct StatementView: Sendable {
    package enum State: String, Sendable, CaseIterable {
        /// The month goes on.
        case open
        /// It is over, and late events still count.
        case grace
        case closed
    }
    package var customer: CustomerID
    package var month: BillingMonth
    package var state: State
    package var zone: String
    package var period: Period
    /// Of a closed month that had something to bill.
    package var closed: ClosedStatement?
    /// What is due, then the adjustments.
    package var lines: [StatementLine]
    /// Usage of periods that still run: not due yet.
    package var running: [StatementLine]
    /// Causes that a closed month is still to be looked at for.
    package var waiting: [BillingCause]

    /// By currency. Nil when a sum leaves 64 bits.
    static func totals(_ lines: [StatementLine]) -> [MoneyTotal]? {
        var sums: [Currency: Int64] = [:]
        for line in lines {
            let (sum, isOver) = sums[line.currency, default: 0]
                .addingReportingOverflow(line.amount)
            if isOver { return nil }
            sums[line.currency] = sum
        }
        return sums.map { MoneyTotal(currency: $0.key, amount: $0.value) }
            .sorted { $0.currency < $1.currency }
    }
}

extension StatementView {
    /// - Parameter explanation: what is added to a line; nil: nothing.
    func document(
        summaryOnly: Bool = false,
        explanation: (StatementLine) throws(BillingError) -> [String: JSONValue] = { _ in [:] }
    ) throws(BillingError) -> JSONValue {
        var members: [String: JSONValue?] = [
            "customer": .string(customer.rawValue), "month": .string(month.description),
            "state": .string(state.rawValue), "time_zone": .string(zone),
            "period": LineDocument.period(period),
            "totals": try totalsDocument(lines),
            "line_count": .integer(lines.count),
            "closed_at": closed.map { LineDocument.time($0.closedAt) },
            "closed_by": closed.map { .string($0.closedBy) },
            "reason": closed?.reason.map { .string($0) },
            "revision": closed.map { .integer($0.revision) },
            "sequence": closed.map { .integer($0.sequence) },
        ]
        if !running.isEmpty { members["so_far_totals"] = try totalsDocument(running) }
        if !waiting.isEmpty { members["waiting"] = LineDocument.causes(waiting) }
        if !summaryOnly {
            members["lines"] = .array(try documents(lines, explanation))
            if state == .open { members["so_far"] = .array(try documents(running, explanation)) }
        }
        return .members(members)
    }

    private func documents(
        _ lines: [StatementLine],
        _ explanation: (StatementLine) throws(BillingError) -> [String: JSONValue]
    ) throws(BillingError) -> [JSONValue] {
        var documents: [JSONValue] = []
        for line in lines {
            var members = line.document.object ?? [:]
            for (name, value) in try explanation(line) { members[name] = value }
            documents.append(.object(members))
        }
        return documents
    }

    private func totalsDocument(_ lines: [StatementLine]) throws(BillingError) -> JSONValue {
        guard let totals = Self.totals(lines) else {
            throw BillingError(.unrateable, "the lines add up to more than 64 bits hold")
        }
        return .array(
            totals.map {
                .object([
                    "currency": .string($0.currency.code),
                    "amount": LineDocument.money($0.amount, $0.currency),
                    "amount_minor": .integer($0.amount),
                ])
            })
    }
}
