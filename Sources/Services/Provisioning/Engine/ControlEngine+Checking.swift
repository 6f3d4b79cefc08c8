import Entitlements
import MeteringModel
import MeteringPorts

extension ControlEngine {
    /// Checks all that a draft touches, and compiles it.
    /// - Returns: nil when no snapshot depends on the draft.
    func check(_ draft: ControlDraft) throws(ControlProblem) -> SnapshotBuilder.Update? {
        var customers: Set<CustomerID> = []
        for change in draft.changes where change.kind.isContract {
            if let customer = change.customer { customers.insert(customer) }
        }
        try ContractRules(draft: draft).check(customers)
        return try SnapshotBuilder.update(
            current.load(), customers: customers.sorted(), draft: draft,
            definitionsChanged: draft.changes.contains { $0.kind.isCatalog })
    }
}

/// What must hold of the customers that a draft touches, whichever command wrote it.
struct ContractRules {
    /// Levels of a tree of customers, the root's included.
    static let levelsMax = 8

    let draft: ControlDraft

    func check(_ customers: Set<CustomerID>) throws(ControlProblem) {
        for change in draft.changes where change.kind == .customer {
            try checkMove(change)
            try checkPlace(of: CustomerID(change.id))
        }
        let subscribed = draft.changes.filter { $0.kind == .subscription }.compactMap(\.customer)
        for customer in Set(subscribed).sorted() { try checkOverlaps(of: customer) }
    }

    // MARK: trees

    /// Usage was counted with the parent of its time: that cannot be changed afterwards.
    private func checkMove(_ change: ControlChange) throws(ControlProblem) {
        guard let before = change.before, let after = change.after,
            before["parent"] != after["parent"], change.effectiveAt < draft.now
        else { return }
        throw .invalid(
            "past_move",
            "a customer can only be moved from now on: usage since \(change.effectiveAt.rfc3339()) "
                + "has been counted with its parent", field: "parent")
    }

    private func checkPlace(of customer: CustomerID) throws(ControlProblem) {
        guard let document = try draft.history(.customer, customer.rawValue)?.latest else { return }
        var above = 1
        var next = document["parent"]?.text
        while let parent = next {
            if parent == customer.rawValue {
                throw .invalid(
                    "cyclic_parent", "customer \"\(customer)\" would be its own ancestor",
                    field: "parent")
            }
            above += 1
            if above > Self.levelsMax { throw tooDeep }
            guard let ancestor = try draft.history(.customer, parent)?.latest else {
                throw .unknown(.customer, parent, field: "parent", known: [])
            }
            next = ancestor["parent"]?.text
        }
        if above + (try levels(below: customer, atMost: Self.levelsMax - above)) > Self.levelsMax {
            throw tooDeep
        }
    }

    private var tooDeep: ControlProblem {
        .invalid(
            "tree_too_deep", "a tree of customers has at most \(Self.levelsMax) levels",
            field: "parent")
    }

    /// Levels of children below a customer; stops counting just above `bound`.
    private func levels(
        below customer: CustomerID, atMost bound: Int
    ) throws(ControlProblem) -> Int {
        var generation = [customer]
        var levels = 0
        while levels <= bound {
            var children: [CustomerID] = []
            for parent in generation { children += try draft.children(of: parent) }
            if children.isEmpty { return levels }
            levels += 1
            generation = children
        }
        return levels
    }

    // MARK: subscriptions

    private struct Span {
        var id: String
        var product: ProductKey
        var start: Timestamp
        var end: Timestamp
    }

    /// A customer has one subscription of a product at a time.
    private func checkOverlaps(of customer: CustomerID) throws(ControlProblem) {
        var spans: [Span] = []
        for record in try draft.records(.subscription, ofCustomer: customer) {
            spans += self.spans(of: record)
        }
        spans.sort { ($0.start, $0.id) < ($1.start, $1.id) }
        var latest: [ProductKey: Span] = [:]
        for span in spans {
            if let other = latest[span.product], other.id != span.id, span.start < other.end {
                throw .invalid(
                    "overlapping_subscription",
                    "subscriptions \"\(other.id)\" and \"\(span.id)\" of customer \"\(customer)\" "
                        + "are both of product \"\(span.product)\" from \(span.start.rfc3339()) on; "
                        + "end one first, or change its plan",
                    field: "start")
            }
            if let other = latest[span.product], other.end >= span.end { continue }
            latest[span.product] = span
        }
    }

    private func spans(of record: RecordHistory) -> [Span] {
        let steps = record.steps
        var spans: [Span] = []
        for (index, step) in steps.enumerated() {
            guard let document = step.document else { continue }
            let next = index + 1 < steps.count ? steps[index + 1].from : .distantFuture
            let start = max(step.from, instant("start", document) ?? .distantPast)
            let end = min(next, instant("end", document) ?? .distantFuture)
            guard start < end else { continue }
            spans.append(
                Span(id: record.id, product: product(of: document), start: start, end: end))
        }
        return spans
    }

    private func product(of subscription: JSONValue) -> ProductKey {
        let key = PlanKey(subscription["plan"]?.text ?? "")
        let version = subscription["version"]?.integer.map(Int.init) ?? 0
        let past = draft.definitions.pastPlans.first { $0.key == key && $0.version == version }
        let plan = past ?? draft.definitions.plans.first { $0.key == key }
        return plan?.product ?? .default
    }

    private func instant(_ name: String, _ document: JSONValue) -> Timestamp? {
        document[name]?.text.flatMap { Timestamp(rfc3339: $0) }
    }
}
