import Entitlements
import MeteringModel
import MeteringPorts

/// Lists of records, and one record at an instant.
struct RecordQueries {
    let engine: ControlEngine
    let tree: TreeScope

    /// - Throws: `not_found` when it is not there at the instant, or not the caller's to see.
    func record(
        _ kind: RecordKind, _ id: String, _ query: ControlQuery
    ) throws(ControlProblem) -> ControlAnswer {
        guard
            let history = try stored({ store throws(ControlStoreError) in
                try store.record(kind, id)
            }), tree.mayRead(history, query.principal),
            let document = history.document(at: query.at ?? engine.clock.now())
        else { throw .notFound(kind, id) }
        return ControlAnswer(
            body: RecordView.document(history, document, definitions),
            entityTag: String(history.revision))
    }

    /// All versions of a plan, the first one first.
    func planVersions(_ key: PlanKey) throws(ControlProblem) -> ControlAnswer {
        let history = try stored { store throws(ControlStoreError) in
            try store.record(.plan, key.rawValue)
        }
        guard let history, let document = history.document(at: engine.clock.now()) else {
            throw .notFound(.plan, key.rawValue)
        }
        let versions = document["versions"]?.object ?? [:]
        let items = versions.keys.compactMap { Int($0) }.sorted().map { number in
            (versions[String(number)] ?? .object([:])).setting([
                "key": .string(key.rawValue), "version": .integer(number),
            ])
        }
        return ControlAnswer(
            body: .members(["items": .array(items), "next": .null]),
            entityTag: String(history.revision))
    }

    /// Records that are there at the query's instant, by id.
    func list(_ kind: RecordKind, _ query: ControlQuery) throws(ControlProblem) -> ControlAnswer {
        let page = try Page(query)
        let instant = query.at ?? engine.clock.now()
        if let customer = query.customer, !kind.isCatalog {
            try tree.require(customer, query.principal)
        }
        if !kind.isCatalog, query.customer == nil, let root = query.principal.customer {
            return try list(kind, below: root, page, instant)
        }
        var items: [JSONValue] = []
        var last = page.after
        // One more than the page tells whether there is another.
        while items.count <= page.limit {
            let after = last
            let histories = try stored { store throws(ControlStoreError) in
                try store.records(
                    kind, customer: kind.isCatalog ? nil : query.customer, after: after,
                    limit: page.limit + 1)
            }
            items += shown(histories, at: instant)
            last = histories.last?.id
            if histories.count <= page.limit { break }
        }
        return page.answer(items, .behindCursor, id: { Self.id(of: $0, kind) })
    }

    /// What a caller that is bound to a customer sees: its tree's.
    private func list(
        _ kind: RecordKind, below root: CustomerID, _ page: Page, _ instant: Timestamp
    ) throws(ControlProblem) -> ControlAnswer {
        var histories: [RecordHistory] = []
        for customer in try tree.customers(below: root) {
            if kind == .customer {
                let own = try stored { store throws(ControlStoreError) in
                    try store.record(.customer, customer.rawValue)
                }
                if let own { histories.append(own) }
                continue
            }
            var last: String?
            while true {
                let after = last
                let some = try stored { store throws(ControlStoreError) in
                    try store.records(kind, customer: customer, after: after, limit: 1_000)
                }
                histories += some
                last = some.last?.id
                if some.count < 1_000 { break }
            }
        }
        histories.sort { Page.isBefore($0.id, $1.id) }
        return page.answer(shown(histories, at: instant), .byID, id: { Self.id(of: $0, kind) })
    }

    private func shown(_ histories: [RecordHistory], at instant: Timestamp) -> [JSONValue] {
        let definitions = definitions
        return histories.compactMap { history in
            history.document(at: instant).map {
                RecordView.document(history, $0, definitions)
            }
        }
    }

    private static func id(of document: JSONValue, _ kind: RecordKind) -> String {
        document[RecordRules.idMember(kind)]?.text ?? ""
    }

    private var definitions: Catalog { engine.current.load().definitions.catalog }

    private func stored<Value>(
        _ body: (any ControlStore) throws(ControlStoreError) -> Value
    ) throws(ControlProblem) -> Value {
        do throws(ControlStoreError) { return try body(engine.store) } catch { throw .store(error) }
    }
}
