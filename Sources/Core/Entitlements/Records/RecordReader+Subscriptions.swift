import MeteringModel

extension RecordReader {
    private static let nestedMembers = [
        "id", "plan", "version", "start", "end", "trial_end", "trial_converts", "renewal",
        "billing_frequency", "anchor", "add_ons", "seats",
    ]

    /// - Parameter isNested: inside its customer, which is therefore not named.
    mutating func subscription(
        _ document: JSONValue, isNested: Bool = false
    ) -> Recorded<SubscriptionTerms>? {
        guard var members = open(document, "a subscription") else { return nil }
        let owner = isNested ? Owner() : owner(in: &members)
        let id = isNested ? id("id", in: &members) : owner.id
        // Shown with every subscription; it follows from the plan.
        if !isNested { _ = members.take("product") }
        let plan = requiredText("plan", in: &members)
        let version = integer("version", in: &members, 0...1_000_000, default: 0)
        let start = start(in: &members)
        var terms = SubscriptionTerms(
            plan: PlanKey(plan ?? ""), planVersion: version, start: start)
        terms.end = end("end", in: &members, after: start)
        terms.trialEnd = end("trial_end", in: &members, after: start)
        terms.trialConverts = flag("trial_converts", in: &members, default: false)
        terms.renewal = choice("renewal", in: &members, default: .automatic)
        terms.billingFrequency = choice("billing_frequency", in: &members, default: .monthly)
        terms.anchor = time("anchor", in: &members, .start)
        terms.addOns = list("add_ons", in: &members) { $0.addOnBought($1) }
        entries("seats", in: &members) { reader, key, value in
            terms.seats[FeatureKey(key)] = reader.limit(value, "seats", scale: 0, at: nil)
            reader.check(FeatureKey(key), is: .seat, at: nil)
        }
        let metadata = isNested ? [:] : textMap("metadata", in: &members)
        close(
            members,
            known: Self.nestedMembers
                + (isNested ? [] : ["customer", "product", "managed_by", "metadata"]))
        return Recorded(
            id: id, customer: owner.customer, managedBy: owner.managedBy, metadata: metadata,
            terms: terms)
    }

    /// `premium`, or `{key: premium, quantity: 2, start: …, end: …}`.
    private mutating func addOnBought(_ value: JSONValue) -> SubscriptionTerms.AddOn? {
        guard case .object = value else {
            return text(value, "an add-on", at: nil).map { .init(key: AddOnKey($0)) }
        }
        guard var members = open(value, "an add-on") else { return nil }
        let key = requiredText("key", in: &members)
        let quantity = integer("quantity", in: &members, 1...1_000_000_000, default: 1)
        let start = time("start", in: &members, .start)
        let end = end("end", in: &members, after: start ?? .distantPast)
        close(members, known: ["key", "quantity", "start", "end"])
        return .init(key: AddOnKey(key ?? ""), quantity: Int64(quantity), start: start, end: end)
    }

    // MARK: whose a record is

    struct Owner {
        static let members = ["id", "customer", "managed_by"]
        var id: String?
        var customer: CustomerID?
        var managedBy: String?
    }

    mutating func owner(in members: inout Members) -> Owner {
        Owner(
            id: id("id", in: &members), customer: id("customer", in: &members).map { .init($0) },
            managedBy: text("managed_by", in: &members))
    }

    // MARK: features

    /// Reports a feature that the catalog does not have, or has as another type.
    @discardableResult
    mutating func check(
        _ feature: FeatureKey, is type: FeatureType?, at name: String?
    ) -> FeatureDefinition? {
        guard let features = context.features else { return nil }
        guard let known = features[feature] else {
            let hint = NearestKey.hint(
                for: feature.rawValue, in: features.keys.map(\.rawValue).sorted())
            report(name, .unknownFeature, "there is no feature \"\(feature)\"\(hint)")
            return nil
        }
        if let type, known.type != type {
            report(
                name, .wrongFeatureType,
                "\"\(feature)\" is a \(known.type.rawValue) feature, not a \(type.rawValue) one")
        }
        return known
    }
}
