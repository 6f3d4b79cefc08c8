import Entitlements
import Forecasting
package import MeteringModel
package import MeteringPorts

/// The list of signals and what people do about them.
package final class SignalService: SignalDesk {
    private let sources: SignalSources
    private let board: SignalBoard
    private let worker: SignalWorker

    package init(_ sources: SignalSources) {
        self.sources = sources
        board = SignalBoard(countMax: sources.settings.signalCountMax)
        worker = SignalWorker(sources, board: board)
    }

    /// Keeps the list until cancelled.
    package func run() async { await worker.run() }

    /// Looks at everybody who is due, and returns when that is done.
    package func drain() async { await worker.drain() }

    /// Named facts for the readiness answer and metrics.
    package var details: [(name: String, value: Int64)] {
        get async {
            let progress = await worker.progress
            return [
                ("signals", Int64(board.count)), ("signals_dropped", board.droppedCount),
                ("signals_computed", progress.computedCount),
                ("signals_failed", progress.failedCount),
                ("signals_waiting", Int64(progress.waitingCount)),
            ]
        }
    }

    /// A page of the near-limit list with the forecast's instants and ranges in place of plain run
    /// rates, where there is a forecast: one look-up in memory an entry.
    package func refined(_ entries: [NearLimitEntry]) -> [NearLimitEntry] {
        entries.map { entry in
            let id = SignalID.make(
                .nearLimit, entry.customer, entry.feature, entry.period.start)
            guard let forecast = board.signal(id)?.exhaustion, entry.used < entry.limit else {
                return entry
            }
            var entry = entry
            entry.projectedExhaustion = forecast.expected
            entry.projectedEarliest = forecast.earliest
            entry.projectedLatest = forecast.latest
            return entry
        }
    }

    // MARK: SignalDesk

    package func list(_ query: SignalQuery) async throws(ControlProblem) -> ControlAnswer {
        if let customer = query.customer { try requireVisible(customer, query.principal) }
        let now = sources.clock.now()
        let page = try board.page(query, now: now) { isVisible($0, query.principal) }
        let progress = await worker.progress
        return ControlAnswer(
            body: .members([
                "items": .array(page.items.map { SignalDocument.make($0.0, $0.1, at: now) }),
                "next": .optional(page.next),
                // False after a start, until everybody was looked at once.
                "is_complete": .bool(progress.isWhole),
                "computed_at": progress.lastSweep.map { .string($0.rfc3339()) } ?? .null,
            ]))
    }

    package func signal(
        _ id: String, _ principal: Principal
    ) async throws(ControlProblem) -> ControlAnswer {
        let signal = try found(id, principal)
        return ControlAnswer(
            body: SignalDocument.make(signal, board.work(of: id), at: sources.clock.now()))
    }

    package func act(_ command: SignalCommand) async throws(ControlProblem) -> ControlAnswer {
        let signal = try found(command.id, command.context.principal)
        let now = sources.clock.now()
        let answer = try await sources.records.change(
            .signal, signal.id, customer: signal.customer, command.context,
            digest: command.digest
        ) { (document) throws(ControlProblem) in
            var work = SignalWork(document)
            try work.apply(command, to: signal, at: now)
            return (
                work.document(of: signal),
                ControlAnswer(body: SignalDocument.make(signal, work, at: now))
            )
        }
        // What the log holds now: a repeated command answers as it did, and others may have acted.
        let latest = try sources.records.history(.signal, signal.id)?.latest
        board.setWork(SignalWork(latest), of: signal.id)
        return answer
    }

    package func refresh(
        _ customer: CustomerID?, _ principal: Principal
    ) async throws(ControlProblem) -> ControlAnswer {
        if let customer {
            try requireVisible(customer, principal)
            try await worker.compute(customer)
        } else {
            if principal.customer != nil { throw Self.outsideTree }
            await worker.sweep()
            await worker.work()
        }
        // A key of one customer hears nothing of how many others have.
        if principal.customer != nil {
            let count = board.count { isVisible($0, principal) }
            return ControlAnswer(
                body: .members(["signals": .integer(count), "waiting": .integer(0)]))
        }
        let progress = await worker.progress
        return ControlAnswer(
            body: .members([
                "signals": .integer(board.count), "waiting": .integer(progress.waitingCount),
            ]))
    }

    // MARK: parts

    private func found(
        _ id: String, _ principal: Principal
    ) throws(ControlProblem) -> Signal {
        guard let signal = board.signal(id), isVisible(signal.customer, principal) else {
            throw ControlProblem(
                .notFound, "unknown_signal",
                "there is no signal \"\(id.prefix(100))\" now; what it told of may be over "
                    + "(GET /v1/signals lists those there are)")
        }
        return signal
    }

    private static let outsideTree = ControlProblem(
        .forbidden, "outside_tree",
        "this key is bound to a customer, and may name that customer and those below it only")

    private func requireVisible(
        _ customer: CustomerID, _ principal: Principal
    ) throws(ControlProblem) {
        if !isVisible(customer, principal) { throw Self.outsideTree }
        let snapshot = sources.catalog.load()
        guard let number = snapshot.customerIndex(customer), !snapshot.customer(number).isRemoved
        else {
            throw ControlProblem(
                .notFound, "unknown_customer",
                "there is no customer \"\(customer.rawValue.prefix(100))\"", field: "customer")
        }
    }

    private func isVisible(_ customer: CustomerID, _ principal: Principal) -> Bool {
        CustomerTree.contains(customer, principal, sources.catalog, at: sources.clock.now())
    }
}

/// What a caller may see that is bound to a customer: that customer and all below it, now.
enum CustomerTree {
    static func contains(
        _ customer: CustomerID, _ principal: Principal, _ catalog: CurrentCatalog,
        at now: Timestamp
    ) -> Bool {
        guard let root = principal.customer else { return true }
        let snapshot = catalog.load()
        guard let number = snapshot.customerIndex(customer), !snapshot.customer(number).isRemoved
        else { return false }
        var isFound = false
        snapshot.lineage(of: number, at: now) { ancestor, _ in
            if ancestor.id == root { isFound = true }
        }
        return isFound
    }
}
