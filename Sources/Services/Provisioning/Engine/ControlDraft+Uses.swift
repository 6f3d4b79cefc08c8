import MeteringModel
import MeteringPorts

extension ControlDraft {
    /// What would be left without its ground if the record were gone (or, for a plan, only
    /// `remaining` of it were left), for people; nil when nothing would.
    func use(
        of kind: RecordKind, _ id: String, without remaining: JSONValue? = nil,
        at instant: Timestamp? = nil
    ) throws(ControlProblem) -> String? {
        switch kind {
        case .product: return useOfProduct(ProductKey(id))
        case .meter:
            let feature = definitions.features.first { $0.meter?.rawValue == id }
            return feature.map { "feature \"\($0.key)\"" }
        case .feature: return try useOfFeature(FeatureKey(id))
        case .plan: return try useOfPlan(PlanKey(id), remaining: remaining)
        case .addOn: return try useOfAddOn(AddOnKey(id))
        case .customer: return try useOfCustomer(CustomerID(id), at: instant)
        case .integration, .subscription, .override, .grant, .suspension, .revocation, .seat,
            .credential, .alertEndpoint, .signal, .correction:
            return nil
        }
    }

    private func useOfProduct(_ key: ProductKey) -> String? {
        let plans = definitions.plans + definitions.pastPlans
        if let plan = plans.first(where: { $0.product == key }) { return "plan \"\(plan.key)\"" }
        let addOn = definitions.addOns.first { $0.product == key }
        return addOn.map { "add-on \"\($0.key)\"" }
    }

    private func useOfFeature(_ key: FeatureKey) throws(ControlProblem) -> String? {
        for plan in definitions.plans + definitions.pastPlans
        where plan.entitlements[key] != nil {
            return "plan \"\(plan.key)\" (version \(plan.version))"
        }
        if let addOn = definitions.addOns.first(where: { $0.entitlements[key] != nil }) {
            return "add-on \"\(addOn.key)\""
        }
        for target in (definitions.stripe?.prices ?? [:]).values where target == .seats(key) {
            return "the mapping of Stripe's prices"
        }
        for kind in [RecordKind.override, .grant, .seat] {
            let user = try first(kind) { $0["feature"]?.text == key.rawValue }
            if let user { return user }
        }
        return try first(.subscription) { $0["seats"]?[key.rawValue] != nil }
    }

    private func useOfPlan(
        _ key: PlanKey, remaining: JSONValue?
    ) throws(ControlProblem) -> String? {
        let versions = remaining?["versions"]?.object.map { Set($0.keys) } ?? []
        if versions.isEmpty {
            let product = definitions.products.first { $0.defaultPlan == key }
            if let product { return "product \"\(product.key)\", whose default plan it is" }
            for target in (definitions.stripe?.prices ?? [:]).values where target == .plan(key) {
                return "the mapping of Stripe's prices"
            }
        }
        var after: String?
        while true {
            let page = try stored { store throws(ControlStoreError) in
                try store.subscriptions(plan: key, version: nil, after: after, limit: 500)
            }
            for subscription in page {
                let own = written[RecordReference(.subscription, subscription.id)] ?? subscription
                guard let document = own.latest, document["plan"]?.text == key.rawValue else {
                    continue
                }
                if let version = document["version"]?.digits, versions.contains(version) {
                    continue
                }
                return "subscription \"\(subscription.id)\""
            }
            if page.count < 500 { break }
            after = page.last?.id
        }
        for (reference, history) in written where reference.kind == .subscription {
            guard let document = history.latest, document["plan"]?.text == key.rawValue else {
                continue
            }
            if let version = document["version"]?.digits, versions.contains(version) { continue }
            return "subscription \"\(reference.id)\""
        }
        return nil
    }

    private func useOfAddOn(_ key: AddOnKey) throws(ControlProblem) -> String? {
        for target in (definitions.stripe?.prices ?? [:]).values where target == .addOn(key) {
            return "the mapping of Stripe's prices"
        }
        return try first(.subscription) { document in
            (document["add_ons"]?.elements ?? []).contains {
                ($0.text ?? $0["key"]?.text) == key.rawValue
            }
        }
    }

    /// - Parameter instant: what has ended by then does not count; nil: everything does.
    private func useOfCustomer(
        _ id: CustomerID, at instant: Timestamp?
    ) throws(ControlProblem) -> String? {
        if let child = try children(of: id).first {
            return "customer \"\(child)\", whose parent it is"
        }
        let kinds: [RecordKind] =
            instant == nil
            ? [.subscription, .override, .grant, .suspension, .revocation, .seat] : [.subscription]
        for kind in kinds {
            for record in try records(kind, ofCustomer: id) {
                guard let instant else {
                    if record.latest == nil { continue }
                    return "\(kind.words) \"\(record.id)\""
                }
                guard let document = record.latest else { continue }
                let end = document["end"]?.text.flatMap { Timestamp(rfc3339: $0) }
                if let end, end <= instant { continue }
                return "\(kind.words) \"\(record.id)\", which has not ended"
            }
        }
        return nil
    }

    /// The first record of a kind that is there now and meets a condition.
    private func first(
        _ kind: RecordKind, where isUser: (JSONValue) -> Bool
    ) throws(ControlProblem) -> String? {
        var after: String?
        while true {
            let page = try stored { store throws(ControlStoreError) in
                try store.records(kind, customer: nil, after: after, limit: 1_000)
            }
            for record in page {
                let own = written[RecordReference(kind, record.id)] ?? record
                if let document = own.latest, isUser(document) {
                    return "\(kind.words) \"\(record.id)\""
                }
            }
            if page.count < 1_000 { break }
            after = page.last?.id
        }
        for (reference, history) in written where reference.kind == kind {
            if let document = history.latest, isUser(document) {
                return "\(kind.words) \"\(reference.id)\""
            }
        }
        return nil
    }
}
