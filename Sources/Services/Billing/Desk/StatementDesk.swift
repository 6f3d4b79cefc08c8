import Entitlements
import MeteringModel
import MeteringPorts

/// Statements, one and many.
struct StatementDesk {
    let service: BillingService
    private var sources: BillingSources { service.sources }
    private var views: StatementViews {
        StatementViews(sources: sources, maker: service.engine.maker)
    }

    static let pageMax = 1_000

    func statement(
        _ id: CustomerID, _ month: BillingMonth, isExplained: Bool
    ) throws(ControlProblem) -> ControlAnswer {
        let snapshot = sources.catalog.load()
        let (customer, view) = try view(id, month, in: snapshot)
        let explanation = RollupExplanation(
            queries: sources.queries, snapshot: snapshot,
            zone: sources.zone(view.zone) ?? customer.zone)
        do throws(BillingError) {
            let body = try view.document { (line) throws(BillingError) in
                isExplained ? try explanation.members(of: line, id) : [:]
            }
            return ControlAnswer(body: body)
        } catch {
            throw .billing(error)
        }
    }

    private func view(
        _ id: CustomerID, _ month: BillingMonth, in snapshot: CatalogSnapshot
    ) throws(ControlProblem) -> (CompiledCustomer, StatementView) {
        guard let customer = snapshot.billed(id) else { throw .notBilled(id) }
        do throws(BillingError) {
            if let view = try views.view(customer, month, in: snapshot) { return (customer, view) }
        } catch {
            throw .billing(error)
        }
        throw ControlProblem(
            .notFound, "month_not_begun", "\(month) has not begun for \"\(id)\"", field: "month")
    }

    // MARK: events

    func events(
        _ id: CustomerID, _ month: BillingMonth, _ lineID: String, _ query: BillingQuery
    ) async throws(ControlProblem) -> ControlAnswer {
        let (_, view) = try view(id, month, in: sources.catalog.load())
        guard let line = (view.lines + view.running).first(where: { $0.id == lineID }) else {
            throw ControlProblem(
                .notFound, "not_found", "\(month) of \"\(id)\" has no line \"\(lineID)\"",
                field: "line")
        }
        guard let meter = line.meter else {
            throw ControlProblem(
                .unprocessable, "no_events", "line \"\(lineID)\" is not about usage",
                field: "line")
        }
        guard let events = service.events else {
            throw ControlProblem(
                .unavailable, "unavailable", "the event log cannot be searched here")
        }
        do throws(QueryError) {
            let page = try await events.events(
                customer: id, meter: meter, from: line.from, to: line.to, cursor: query.cursor,
                limit: query.limit)
            return ControlAnswer(
                body: .object([
                    "line": .string(lineID), "meter": .string(meter.rawValue),
                    "items": .array(page.events.map { Self.document($0, scale: line.scale) }),
                    "next": .optional(page.next),
                ]))
        } catch {
            throw Self.problem(error)
        }
    }

    private static func document(_ event: ExplainedEvent, scale: Int) -> JSONValue {
        .members([
            "source": .string(event.source), "id": .string(event.id),
            "subject": .string(event.subject), "time": LineDocument.time(event.time),
            "value": RecordCodec.quantity(event.value, scale: scale),
            "partition": .integer(event.position.partition),
            "offset": .integer(event.position.offset),
            "voided_by": event.voidedBy.map { .string($0) },
        ])
    }

    private static func problem(_ error: QueryError) -> ControlProblem {
        switch error.code {
        case .notFound: ControlProblem(.notFound, "not_found", error.message)
        case .invalid, .windowNotKept: ControlProblem(.invalid, "invalid", error.message)
        case .unavailable: ControlProblem(.unavailable, "unavailable", error.message)
        }
    }

    // MARK: lists

    /// One customer's: the months that are not closed first, as they would be closed now; then the
    /// closed ones, latest last.
    func list(
        _ id: CustomerID, _ query: BillingQuery
    ) throws(ControlProblem) -> ControlAnswer {
        let snapshot = sources.catalog.load()
        guard let customer = snapshot.billed(id) else { throw .notBilled(id) }
        let after = try Self.place(query.cursor, customer: id)
        var items: [JSONValue] = []
        do throws(BillingError) {
            if after == nil { items = try openOnes(customer, in: snapshot) }
        } catch {
            throw .billing(error)
        }
        return try page(items, customer: id, month: nil, after, query.limit)
    }

    /// The current month and those before it that are not closed, at most a year back.
    private func openOnes(
        _ customer: CompiledCustomer, in snapshot: CatalogSnapshot
    ) throws(BillingError) -> [JSONValue] {
        var items: [JSONValue] = []
        var month = BillingMonth(containing: sources.clock.now(), zone: customer.zone)
        for _ in 0..<12 {
            let made = try views.view(customer, month, in: snapshot, makesDocuments: false)
            guard let view = made else { break }
            if view.state == .closed { break }
            if !view.lines.isEmpty || view.state == .open {
                items.append(try view.document(summaryOnly: true))
            }
            month = month.previous
        }
        return items
    }

    /// Everybody's: of a month, in a state.
    func list(
        _ month: BillingMonth?, state: String?, _ query: BillingQuery
    ) async throws(ControlProblem) -> ControlAnswer {
        guard let wanted = state.map({ StatementView.State(rawValue: $0) }) ?? .closed else {
            throw ControlProblem(
                .invalid, "invalid_state", "state must be open, grace or closed", field: "state")
        }
        if wanted == .closed {
            return try page(
                [], customer: nil, month: month, try Self.place(query.cursor), query.limit)
        }
        guard let month else {
            throw ControlProblem(
                .invalid, "missing", "statements that are \(wanted) are listed by month",
                field: "month")
        }
        return try await unclosed(month, wanted, query)
    }

    /// Rated some at a time, in the order of the customers' numbers; so a cursor is good for as long
    /// as the process runs. Costs a rating of each customer that the month can be in the state of;
    /// others get their turn in between.
    private func unclosed(
        _ month: BillingMonth, _ state: StatementView.State, _ query: BillingQuery
    ) async throws(ControlProblem) -> ControlAnswer {
        let snapshot = sources.catalog.load()
        guard var number = query.cursor.map({ Int($0) }) ?? 0, number >= 0 else {
            throw Self.invalidCursor
        }
        var items: [JSONValue] = []
        // Each customer costs a rating, so a page ends after so many looked at.
        let end = min(snapshot.customerCount, number + 10 * Self.pageMax)
        let now = sources.clock.now()
        do throws(BillingError) {
            while number < end, items.count < query.limit {
                var chunk: [CompiledCustomer] = []
                let most = min(query.limit - items.count, sources.settings.readingCountMax)
                while number < end, chunk.count < most {
                    let customer = snapshot.customer(number)
                    number += 1
                    // Whether the month goes on is known without rating it.
                    let isRunning = now < month.period(zone: customer.zone).end
                    if customer.isBilled, customer.firstSubscription != nil,
                        isRunning == (state == .open)
                    {
                        chunk.append(customer)
                    }
                }
                let made = try views.views(chunk, month, in: snapshot, makesDocuments: false)
                for case let view? in made
                where view.state == state && !(view.lines.isEmpty && view.running.isEmpty) {
                    items.append(try view.document(summaryOnly: true))
                }
                await Task.yield()
            }
        } catch {
            throw .billing(error)
        }
        let next = number < snapshot.customerCount ? String(number) : nil
        return ControlAnswer(
            body: .object(["items": .array(items), "next": .optional(next)]))
    }

    private func page(
        _ before: [JSONValue], customer: CustomerID?, month: BillingMonth?,
        _ after: StatementPlace?, _ limit: Int
    ) throws(ControlProblem) -> ControlAnswer {
        let found: [ClosedStatement]
        do throws(BillingStoreError) {
            found = try sources.store.statements(
                customer: customer, month: month, after: after, limit: limit + 1)
        } catch {
            throw .billing(BillingError(error))
        }
        let shown = found.prefix(limit)
        let next = found.count > limit ? shown.last.map { Self.cursor($0.place) } : nil
        return ControlAnswer(
            body: .object([
                "items": .array(before + shown.map(Self.summary)), "next": .optional(next),
            ]))
    }

    private static func summary(_ statement: ClosedStatement) -> JSONValue {
        .members([
            "customer": .string(statement.customer.rawValue),
            "month": .string(statement.month.description), "state": .string("closed"),
            "time_zone": .string(statement.zone),
            "period": LineDocument.period(statement.period),
            "totals": .array(
                statement.totals.map {
                    .object([
                        "currency": .string($0.currency.code),
                        "amount": LineDocument.money($0.amount, $0.currency),
                        "amount_minor": .integer($0.amount),
                    ])
                }),
            "line_count": .integer(statement.lineCount),
            "closed_at": LineDocument.time(statement.closedAt),
            "closed_by": .string(statement.closedBy),
            "reason": statement.reason.map { .string($0) },
            "revision": .integer(statement.revision), "sequence": .integer(statement.sequence),
        ])
    }

    // MARK: cursors

    private static let invalidCursor = ControlProblem(
        .invalid, "invalid_cursor", "cursor must be the \"next\" of a page before",
        field: "cursor")

    /// `2026-11:acme`; the month has a fixed length, so the customer's id may hold anything.
    private static func cursor(_ place: StatementPlace) -> String {
        "\(place.month):\(place.customer)"
    }

    private static func place(
        _ cursor: String?, customer: CustomerID? = nil
    ) throws(ControlProblem) -> StatementPlace? {
        guard let cursor else { return nil }
        guard let month = BillingMonth(String(cursor.prefix(7))), cursor.dropFirst(7).first == ":"
        else { throw invalidCursor }
        let id = CustomerID(cursor.dropFirst(8))
        if let customer, customer != id { throw invalidCursor }
        return StatementPlace(month: month, customer: id)
    }
}
