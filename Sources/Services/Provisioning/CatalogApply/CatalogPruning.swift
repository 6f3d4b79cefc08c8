import Entitlements
import MeteringModel
import MeteringPorts

/// Removes what documents made and this one does not name any more. What something else still needs
/// stays, and is told of.
struct CatalogPruning {
    private let named: Set<RecordReference>
    private let targets: CatalogTargets
    private var removed: Set<RecordReference> = []
    /// Removed ones, sorted.
    private(set) var customers: [CustomerID] = []
    /// What stays, and why.
    private(set) var notes: [String] = []

    /// Removed definitions, customers, and subscriptions of customers that stay.
    var count: Int { removed.count }

    init(_ document: Catalog, _ targets: CatalogTargets) {
        var named: Set<RecordReference> = []
        named.formUnion(document.products.map { .init(.product, $0.key.rawValue) })
        named.formUnion(document.meters.map { .init(.meter, $0.key.rawValue) })
        named.formUnion(document.features.map { .init(.feature, $0.key.rawValue) })
        named.formUnion(document.plans.map { .init(.plan, $0.key.rawValue) })
        named.formUnion(document.addOns.map { .init(.addOn, $0.key.rawValue) })
        if document.stripe != nil { named.insert(.init(.integration, StripeIntake.system)) }
        named.formUnion(document.customers.map { .init(.customer, $0.id.rawValue) })
        named.formUnion(targets.subscriptions.map { .init(.subscription, $0) })
        self.named = named
        self.targets = targets
    }

    func names(_ kind: RecordKind, _ id: String) -> Bool { named.contains(.init(kind, id)) }
    func removes(_ kind: RecordKind, _ id: String) -> Bool { removed.contains(.init(kind, id)) }

    /// Nothing is removed unless the caller knows how much.
    func requireExpected(_ expected: Int?) throws(ControlProblem) {
        if count == 0, expected ?? 0 == 0 { return }
        if expected == count { return }
        let found = expected.map { ", not \($0)" } ?? ""
        throw ControlProblem(
            .conflict, "count_mismatch",
            "prune would remove \(count)\(found); if that is meant, say expected_count=\(count)",
            field: "expected_count")
    }

    /// Customers first, then what they no longer use, each kind before what it is built on.
    mutating func carryOut(on draft: inout ControlDraft) throws(ControlProblem) {
        try removeSubscriptions(on: &draft)
        try removeCustomers(on: &draft)
        for kind in [RecordKind.integration, .addOn, .plan, .feature, .meter, .product] {
            for record in try draft.records(kind) {
                guard record.latest != nil, !names(kind, record.id),
                    try isDocuments(record, draft)
                else { continue }
                try remove(kind, record.id, on: &draft)
            }
        }
    }

    private mutating func remove(
        _ kind: RecordKind, _ id: String, on draft: inout ControlDraft
    ) throws(ControlProblem) {
        if let use = try draft.use(of: kind, id) {
            notes.append("  \(kind.words) \(id) stays: it is used by \(use)")
            return
        }
        try draft.delete(kind, id)
        removed.insert(.init(kind, id))
    }

    /// Whether a document made the record: who made it stands in the log.
    private func isDocuments(
        _ record: RecordHistory, _ draft: ControlDraft
    ) throws(ControlProblem) -> Bool {
        do throws(ControlStoreError) {
            let first = try draft.store.changes(
                AuditFilter(kind: record.kind, id: record.id), after: 0, limit: 1)
            return first.first?.change.source == CatalogApplication.manager
        } catch {
            throw .store(error)
        }
    }

    // MARK: customers

    /// Those of the document's customers that it does not name any more.
    private mutating func removeSubscriptions(on draft: inout ControlDraft) throws(ControlProblem) {
        for customer in targets.customers where targets.known[customer.id] != nil {
            for record in try draft.records(.subscription, ofCustomer: customer.id) {
                guard !names(.subscription, record.id), isManaged(record, draft) else { continue }
                try draft.delete(.subscription, record.id)
                removed.insert(.init(.subscription, record.id))
            }
        }
    }

    private mutating func removeCustomers(on draft: inout ControlDraft) throws(ControlProblem) {
        var gone = try managedCustomers(draft)
        // Children before their parents: a tree goes as a whole, or its parents stay.
        gone.sort { $0.level > $1.level }
        for (id, _) in gone {
            if let child = try draft.children(of: id).first(where: {
                !removes(.customer, $0.rawValue)
            }) {
                notes.append("  customer \(id) stays: it is the parent of customer \"\(child)\"")
                continue
            }
            for record in try draft.records(ofCustomer: id)
            where record.kind != .customer && record.document(at: draft.now) != nil {
                try draft.delete(record.kind, record.id)
            }
            try draft.delete(.customer, id.rawValue)
            removed.insert(.init(.customer, id.rawValue))
            customers.append(id)
        }
        customers.sort()
    }

    private func managedCustomers(
        _ draft: ControlDraft
    ) throws(ControlProblem) -> [(id: CustomerID, level: Int)] {
        var parents: [CustomerID: CustomerID?] = [:]
        var after: String?
        while true {
            let page: [RecordHistory]
            do throws(ControlStoreError) {
                page = try draft.store.records(.customer, customer: nil, after: after, limit: 1_000)
            } catch {
                throw .store(error)
            }
            for record in page
            where !names(.customer, record.id) && isManaged(record, draft) {
                let parent = record.document(at: draft.now)?["parent"]?.text
                parents[CustomerID(record.id)] = .some(parent.map { CustomerID($0) })
            }
            guard page.count == 1_000, let last = page.last else { break }
            after = last.id
        }
        return parents.keys.sorted().map { id in
            var level = 0
            var next = parents[id] ?? nil
            while let parent = next, level < CatalogSnapshot.levelsMax {
                level += 1
                next = parents[parent] ?? nil
            }
            return (id, level)
        }
    }

    private func isManaged(_ record: RecordHistory, _ draft: ControlDraft) -> Bool {
        record.document(at: draft.now)?["managed_by"]?.text == CatalogApplication.manager
    }
}
