import Entitlements
import MeteringModel
package import MeteringPorts
import Synchronization

/// Past usage under a draft of the catalog. Reads only; a page at a time, so that a million
/// customers take no more memory than one page of them.
package final class SimulationService: PlanSimulating {
    /// Both sides of one draft, kept while its pages are asked for.
    private struct Prepared: Sendable {
        var draft: String
        var live: CatalogSnapshot
        var sides: (live: SimulationSide, draft: SimulationSide)
        var notes: [String]
    }

    package static let pageMax = 500
    /// A year and a leap day, and some.
    private static let windowSecondsMax: Int64 = 400 * 86_400
    private static let preparedMax = 4

    private let sources: SimulationSources
    private let prepared = Mutex<[Prepared]>([])

    package init(_ sources: SimulationSources) { self.sources = sources }

    package func simulate(
        _ draft: String, _ query: SimulationQuery
    ) async throws(SimulationFailure) -> ControlAnswer {
        do throws(ControlProblem) { try check(query) } catch { throw .problem(error) }
        let prepared = try await prepare(draft)
        do throws(ControlProblem) { return try await page(prepared, query) } catch {
            throw .problem(error)
        }
    }

    // MARK: parts

    private func check(_ query: SimulationQuery) throws(ControlProblem) {
        let (window, now) = (query.window, sources.clock.now())
        guard window.start < window.end else {
            throw ControlProblem(
                .invalid, "invalid_window", "from must be before to", field: "from")
        }
        guard window.end <= now else {
            throw ControlProblem(
                .invalid, "invalid_window",
                "to must not lie ahead: only past usage can be scored again", field: "to")
        }
        guard window.end.microseconds(since: window.start) / 1_000_000 <= Self.windowSecondsMax
        else {
            throw ControlProblem(
                .invalid, "invalid_window", "from and to must lie at most 400 days apart",
                field: "from")
        }
        guard (1...Self.pageMax).contains(query.limit) else {
            throw ControlProblem(
                .invalid, "invalid_limit", "limit must be 1 to \(Self.pageMax)", field: "limit")
        }
        if query.principal.customer != nil {
            throw ControlProblem(
                .forbidden, "outside_tree",
                "a key that is bound to a customer cannot try out plans for everybody")
        }
    }

    private func prepare(_ draft: String) async throws(SimulationFailure) -> Prepared {
        let live = sources.catalog.load()
        let known = prepared.withLock { prepared in
            prepared.first { $0.draft == draft && $0.live.definitions === live.definitions }
        }
        if let known { return known }
        let catalog: Catalog
        do throws(CatalogProblems) { catalog = try await sources.rehearse(draft) } catch {
            throw .draft(error)
        }
        let current = live.definitions.catalog
        do throws(CatalogIssues) {
            let made = Prepared(
                draft: draft, live: live,
                sides: (
                    try SimulationSide(current, live: nil, hash: live.hash, zone: sources.zone),
                    try SimulationSide(catalog, live: current, hash: live.hash, zone: sources.zone)
                ), notes: Self.notes(catalog, current))
            prepared.withLock { prepared in
                prepared.append(made)
                if prepared.count > Self.preparedMax { prepared.removeFirst() }
            }
            return made
        } catch {
            throw .draft(
                CatalogProblems(
                    error.issues.map { .init(line: 0, column: 0, message: $0.description) }))
        }
    }

    /// What past usage cannot tell about the draft.
    private static func notes(_ draft: Catalog, _ live: Catalog) -> [String] {
        let known = Dictionary(live.meters.map { ($0.key, $0) }) { first, _ in first }
        return draft.meters.compactMap { meter in
            guard let before = known[meter.key] else {
                return "meter \(meter.key) is new: there is no past usage of it"
            }
            return meter == before
                ? nil
                : "meter \(meter.key) is defined otherwise: its past usage is as it was counted"
        }
    }

    private func page(
        _ prepared: Prepared, _ query: SimulationQuery
    ) async throws(ControlProblem) -> ControlAnswer {
        let cursor = try Cursor(query.cursor)
        var ids: [CustomerID] = []
        var total = 1
        if let customer = query.customer {
            ids = [customer]
        } else {
            do throws(ControlStoreError) {
                ids = try sources.contracts.customers(cursor.after, query.limit)
                total = try sources.contracts.customerCount()
            } catch {
                throw ControlProblem(.unavailable, "unavailable", error.message)
            }
        }
        var items: [JSONValue] = []
        for id in ids {
            let contract = try sources.contracts.contract(
                of: id, sources.contracts.reader(prepared.live.definitions))
            if contract == nil, query.customer != nil {
                throw ControlProblem(
                    .notFound, "unknown_customer",
                    "there is no customer \"\(id.rawValue.prefix(100))\"", field: "customer")
            }
            guard let contract, CustomerSimulation.isBillable(contract) else { continue }
            let found = try CustomerSimulation(
                contract, query.window, live: prepared.sides.live, draft: prepared.sides.draft,
                sources)
            items.append(found.document)
            await Task.yield()
        }
        let done = cursor.done + ids.count
        let isLast = query.customer != nil || ids.count < query.limit
        let next = isLast ? nil : ids.last.flatMap { Cursor(done: done, after: $0.rawValue).text }
        return ControlAnswer(
            body: .members([
                "from": .string(query.window.start.rfc3339()),
                "to": .string(query.window.end.rfc3339()), "items": .array(items),
                "next": .optional(next), "done": .integer(done),
                "total": .integer(max(total, done)),
                "notes": .array(prepared.notes.map { .string($0) }),
            ]))
    }

    /// How many customers are done, and which was the last.
    private struct Cursor {
        var done: Int
        var after: String?

        init(done: Int, after: String?) {
            self.done = done
            self.after = after
        }

        init(_ text: String?) throws(ControlProblem) {
            guard let text else {
                self.init(done: 0, after: nil)
                return
            }
            let parts = text.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, let done = Int(parts[0]), done > 0 else {
                throw ControlProblem(
                    .invalid, "invalid_cursor", "cursor must be the \"next\" of a page before",
                    field: "cursor")
            }
            self.init(done: done, after: String(parts[1]))
        }

        var text: String? { after.map { "\(done):\($0)" } }
    }
}
