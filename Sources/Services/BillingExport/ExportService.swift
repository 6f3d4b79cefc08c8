import MeteringModel
package import MeteringPorts

/// Answers what the edges ask about exports.
package final class ExportService: ExportDesk {
    private let store: any ExportStore
    private let exporter: StatementExporter
    private let resolver: MeterEventResolver
    private let clock: WallClock

    private static let pageSizes = 1...1_000
    private static let reasonBytesMax = 2_000

    package init(
        store: any ExportStore, exporter: StatementExporter, resolver: MeterEventResolver,
        clock: WallClock
    ) {
        self.store = store
        self.exporter = exporter
        self.resolver = resolver
        self.clock = clock
    }

    package func statements(
        _ query: StatementExportQuery
    ) async throws(ControlProblem) -> StatementExportPage {
        try exporter.page(query)
    }

    package func read(_ query: ExportQuery) async throws(ControlProblem) -> ControlAnswer {
        guard Self.pageSizes.contains(query.limit) else {
            throw ControlProblem(
                .invalid, "invalid_limit", "limit must be 1 to \(Self.pageSizes.upperBound)",
                field: "limit")
        }
        switch query.subject {
        case .meterEvents(let state, let customer):
            try Self.check(query.principal, names: customer)
            return try events(try Self.state(state), customer, query)
        case .meterCredits(let customer):
            try Self.check(query.principal, names: customer)
            return try credits(customer, query)
        case .notes(let month):
            try Self.check(query.principal, names: nil)
            return try notes(try month.map(Self.month), query)
        }
    }

    package func perform(_ command: ExportCommand) async throws(ControlProblem) -> ControlAnswer {
        switch command.operation {
        case .resolve(let identifier, let text):
            try Self.check(command.context.principal, names: nil)
            guard let verdict = MeterEventResolution.Verdict(rawValue: text) else {
                throw ControlProblem(
                    .unprocessable, "invalid_as", "as must be sent or resend", field: "as")
            }
            guard let reason = command.context.reason, !reason.allSatisfy(\.isWhitespace),
                reason.utf8.count <= Self.reasonBytesMax
            else {
                throw ControlProblem(
                    .unprocessable, "missing",
                    "resolving by hand needs a reason of 1 to \(Self.reasonBytesMax) bytes",
                    field: "reason")
            }
            let event = try resolver.resolve(
                identifier, verdict, by: command.context.principal.id, reason: reason,
                at: clock.now())
            return ControlAnswer(body: ExportDocument.event(event))
        }
    }

    // MARK: lists

    private func events(
        _ state: StoredMeterEvent.State?, _ customer: CustomerID?, _ query: ExportQuery
    ) throws(ControlProblem) -> ControlAnswer {
        let (store, after) = (store, try Self.sequence(query.cursor))
        let events = try Self.stored { () throws(BillingStoreError) in
            try store.meterEvents(
                state: state, customer: customer, after: after, limit: query.limit + 1)
        }
        return Self.page(events, query.limit, ExportDocument.event) { String($0.sequence) }
    }

    private func notes(
        _ month: BillingMonth?, _ query: ExportQuery
    ) throws(ControlProblem) -> ControlAnswer {
        let (store, after) = (store, try Self.sequence(query.cursor))
        let notes = try Self.stored { () throws(BillingStoreError) in
            try store.exportNotes(month: month, after: after, limit: query.limit + 1)
        }
        return Self.page(notes, query.limit, { ExportDocument.note($0.note) }) {
            String($0.sequence)
        }
    }

    private func credits(
        _ customer: CustomerID?, _ query: ExportQuery
    ) throws(ControlProblem) -> ControlAnswer {
        let (store, after) = (store, try Self.credit(query.cursor))
        let credits = try Self.stored { () throws(BillingStoreError) in
            try store.meterCredits(customer: customer, after: after, limit: query.limit + 1)
        }
        return Self.page(credits, query.limit, ExportDocument.credit) { credit in
            let names = [credit.meter.rawValue, credit.customer.rawValue]
            return CursorText.encode(
                "\(credit.month.seconds):\(names[0].utf8.count):" + names.joined())
        }
    }

    private static func page<Element>(
        _ found: [Element], _ limit: Int, _ document: (Element) -> JSONValue,
        cursor: (Element) -> String
    ) -> ControlAnswer {
        let page = found.prefix(limit)
        let next = found.count > limit ? page.last.map(cursor) : nil
        return ControlAnswer(
            body: .object([
                "items": .array(page.map(document)), "next": .optional(next),
            ]))
    }

    // MARK: what is asked

    private static func stored<Result>(
        _ body: () throws(BillingStoreError) -> Result
    ) throws(ControlProblem) -> Result {
        do throws(BillingStoreError) { return try body() } catch { throw ControlProblem(error) }
    }

    /// Whether a customer lies in a bound key's tree is checked by the edge.
    private static func check(
        _ principal: Principal, names customer: CustomerID?
    ) throws(ControlProblem) {
        guard principal.customer == nil || customer != nil else {
            throw ControlProblem(
                .forbidden, "outside_tree",
                "this key is bound to a customer, and this is about all of them")
        }
    }

    private static func state(
        _ text: String?
    ) throws(ControlProblem) -> StoredMeterEvent.State? {
        guard let text else { return nil }
        guard let state = StoredMeterEvent.State(rawValue: text) else {
            let names = StoredMeterEvent.State.allCases.map(\.rawValue).joined(separator: ", ")
            throw ControlProblem(
                .invalid, "invalid_state", "state must be one of \(names)", field: "state")
        }
        return state
    }

    private static func month(_ text: String) throws(ControlProblem) -> BillingMonth {
        guard let month = BillingMonth(text) else {
            throw ControlProblem(
                .invalid, "invalid_month", "month must be a month such as 2026-11",
                field: "month")
        }
        return month
    }

    private static func sequence(_ cursor: String?) throws(ControlProblem) -> Int64 {
        guard let cursor else { return 0 }
        guard let sequence = Int64(cursor), sequence >= 0 else { throw invalidCursor }
        return sequence
    }

    private static func credit(_ cursor: String?) throws(ControlProblem) -> MeterCredit? {
        guard let cursor else { return nil }
        guard let text = CursorText.decode(cursor) else { throw invalidCursor }
        let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let month = Int64(parts[0]), let length = Int(parts[1]),
            (0...parts[2].utf8.count).contains(length)
        else { throw invalidCursor }
        let names = parts[2].utf8
        return MeterCredit(
            customer: CustomerID(String(decoding: names.dropFirst(length), as: UTF8.self)),
            meter: MeterKey(String(decoding: names.prefix(length), as: UTF8.self)),
            month: Timestamp(seconds: month), units: 0)
    }

    private static var invalidCursor: ControlProblem {
        ControlProblem(
            .invalid, "invalid_cursor", "cursor must be the \"next\" of a page before",
            field: "cursor")
    }
}
