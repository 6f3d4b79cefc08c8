import MeteringModel
import MeteringPorts

/// A subscription that is there already, as an order finds it.
struct OrderSubscription {
    let id: String
    let history: RecordHistory
    /// As it is when the order takes effect.
    let document: JSONValue

    var plan: PlanKey { PlanKey(document["plan"]?.text ?? "") }
    var version: Int? { document["version"]?.integer.map { Int($0) } }
    var start: Timestamp { instant("start") ?? .distantPast }
    var end: Timestamp? { instant("end") }
    var trialEnd: Timestamp? { instant("trial_end") }
    var isExpiringTrial: Bool {
        trialEnd != nil && document["trial_converts"]?.flag != true
    }

    private func instant(_ name: String) -> Timestamp? {
        document[name]?.text.flatMap { Timestamp(rfc3339: $0) }
    }

    /// The subscription that an order for the product changes: the one that orders make, else the
    /// only other one of the product that has not ended.
    static func find(
        _ customer: CustomerID, _ product: ProductKey, at instant: Timestamp,
        in draft: ControlDraft
    ) throws(ControlProblem) -> OrderSubscription? {
        let ownID = "\(customer):\(product)"
        if let own = try draft.history(.subscription, ownID), !own.entries.isEmpty {
            if own.customer != customer { throw taken(.subscription, ownID, by: own.customer) }
            if let document = own.document(at: instant) {
                return OrderSubscription(id: ownID, history: own, document: document)
            }
        }
        var others: [OrderSubscription] = []
        for history in try draft.records(.subscription, ofCustomer: customer) {
            guard let document = history.document(at: instant) else { continue }
            let found = OrderSubscription(id: history.id, history: history, document: document)
            if let end = found.end, end <= instant { continue }
            let plan = draft.definitions.plans.first { $0.key == found.plan }
            if plan?.product == product { others.append(found) }
        }
        return others.count == 1 ? others[0] : nil
    }

    static func taken(
        _ kind: RecordKind, _ id: String, by customer: CustomerID?
    ) -> ControlProblem {
        ControlProblem(
            .conflict, "id_taken",
            "\(kind.words) \"\(id)\" belongs to customer \"\(customer?.rawValue ?? "")\"",
            field: "id")
    }
}
