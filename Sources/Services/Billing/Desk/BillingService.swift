import MeteringModel
package import MeteringPorts

/// Answers what the edges ask about money. Reads wait for nobody who closes months.
package final class BillingService: BillingDesk {
    let engine: BillingEngine
    let sources: BillingSources
    /// Nil where the log cannot be searched.
    let events: (any EventLookup)?

    package init(
        _ sources: BillingSources, engine: BillingEngine, events: (any EventLookup)?
    ) {
        self.sources = sources
        self.engine = engine
        self.events = events
    }

    package func perform(
        _ command: BillingCommand
    ) async throws(ControlProblem) -> ControlAnswer {
        switch command.operation {
        case .close(let month, let customer):
            return try await close(try BillingMonth(named: month), customer, command)
        }
    }

    package func read(_ query: BillingQuery) async throws(ControlProblem) -> ControlAnswer {
        do throws(BillingError) { try await engine.prepare() } catch { throw .billing(error) }
        let desk = StatementDesk(service: self)
        switch query.subject {
        case .statementsOf(let customer):
            return try desk.list(customer, query)
        case .statement(let customer, let month, let isExplained):
            return try desk.statement(
                customer, try BillingMonth(named: month), isExplained: isExplained)
        case .events(let customer, let month, let line):
            return try await desk.events(customer, try BillingMonth(named: month), line, query)
        case .statements(let month, let state):
            return try await desk.list(try Self.month(month), state: state, query)
        case .check(let month, let customer):
            return try await FinanceCheck(sources, engine).answer(try Self.month(month), customer)
        }
    }

    private static func month(_ text: String?) throws(ControlProblem) -> BillingMonth? {
        guard let text else { return nil }
        return try BillingMonth(named: text)
    }

    // MARK: commands

    private static let reasonBytesMax = 2_000

    private func close(
        _ month: BillingMonth, _ customer: CustomerID?, _ command: BillingCommand
    ) async throws(ControlProblem) -> ControlAnswer {
        let context = command.context
        guard context.principal.customer == nil else {
            throw ControlProblem(
                .forbidden, "outside_tree",
                "this key is bound to a customer, and may not close months")
        }
        guard let reason = context.reason, !reason.allSatisfy(\.isWhitespace),
            reason.utf8.count <= Self.reasonBytesMax
        else {
            throw ControlProblem(
                .unprocessable, "missing",
                "closing by hand needs a reason of 1 to \(Self.reasonBytesMax) bytes",
                field: "reason")
        }
        if let known = try storedAnswer(command) { return known }
        let closing = try await engine.closeByHand(month, customer, context)
        if closing.closed == 0, closing.closedBefore > 0 {
            throw ControlProblem(
                .conflict, "already_closed",
                "\(month) is closed\(customer.map { " for \($0)" } ?? ""); what comes to light "
                    + "later becomes an adjustment on the next statement", field: "month")
        }
        let answer = ControlAnswer(
            body: .members([
                "month": .string(month.description),
                "customer": customer.map { .string($0.rawValue) },
                "closed": .integer(closing.closed),
                "closed_before": .integer(closing.closedBefore),
            ]))
        try keep(answer, command)
        return answer
    }

    /// What the command answered before, under the same key.
    private func storedAnswer(
        _ command: BillingCommand
    ) throws(ControlProblem) -> ControlAnswer? {
        guard let key = command.context.idempotencyKey else { return nil }
        do throws(BillingStoreError) {
            guard let known = try sources.store.answer(idempotencyKey: key) else { return nil }
            if known.requestDigest == command.digest {
                return ControlAnswer(status: known.status, body: known.body)
            }
        } catch {
            throw .billing(BillingError(error))
        }
        throw ControlProblem(
            .conflict, "idempotency_conflict",
            "the idempotency key stands for another request; use a new one",
            field: "Idempotency-Key")
    }

    private func keep(
        _ answer: ControlAnswer, _ command: BillingCommand
    ) throws(ControlProblem) {
        guard let key = command.context.idempotencyKey else { return }
        do throws(BillingStoreError) {
            try sources.store.putAnswer(
                StoredAnswer(
                    key: key, requestDigest: command.digest, status: answer.status,
                    body: answer.body, entityTag: nil, at: sources.clock.now()))
        } catch {
            throw .billing(BillingError(error))
        }
    }
}
