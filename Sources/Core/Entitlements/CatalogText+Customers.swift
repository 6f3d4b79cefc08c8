import MeteringModel

extension CatalogText {
    func fields(_ customer: CustomerDefinition) -> [Field] {
        let profile = customer.profile
        var fields = [
            Field("name", profile.name), Field("time_zone", profile.timeZone),
            Field("parent", profile.parent?.rawValue),
            Field("inherits", profile.inherits ? nil : "false"),
            Field(
                "environment",
                profile.environment == .production ? nil : profile.environment.rawValue),
            Field("owner", profile.owner),
        ].compactMap { $0 }
        for (system, name) in profile.externalIDs.sorted(by: { $0.key < $1.key }) {
            fields.append(Field("external_id \(system)", name))
        }
        for (key, value) in profile.metadata.sorted(by: { $0.key < $1.key }) {
            fields.append(Field("metadata \(key)", value))
        }
        for subscription in customer.subscriptions {
            let name = name(of: subscription, of: customer.id)
            let prefix = name == ProductKey.default.rawValue ? "" : "subscription \(name) "
            fields += Self.fields(subscription.terms).map {
                Field(prefix + $0.name, $0.text)
            }
        }
        for subject in profile.subjects.sorted(by: { $0.id < $1.id }) {
            let environment = subject.environment
            fields.append(
                Field(
                    "subject \(subject.id)",
                    environment == .production ? "" : environment.rawValue))
        }
        return fields
    }

    /// What tells a customer's subscriptions apart: the product of one that has the id that is
    /// given to it, or none; else its id.
    func name(of subscription: CustomerDefinition.Subscription, of customer: CustomerID) -> String {
        let product = product(of: subscription.terms.plan).rawValue
        guard let id = subscription.id, id != "\(customer):\(product)" else { return product }
        return id
    }

    private static func fields(_ terms: SubscriptionTerms) -> [Field] {
        var fields = [
            Field("plan", terms.plan.rawValue),
            Field("version", terms.planVersion == 0 ? nil : String(terms.planVersion)),
            Field("start", terms.start.rfc3339()), Field("end", terms.end?.rfc3339()),
            Field("trial_end", terms.trialEnd?.rfc3339()),
            Field("trial_converts", terms.trialConverts ? "true" : nil),
            Field("renewal", terms.renewal == .automatic ? nil : terms.renewal.rawValue),
            Field(
                "billing_frequency",
                terms.billingFrequency == .monthly ? nil : terms.billingFrequency.rawValue),
            Field("anchor", terms.anchor?.rfc3339()),
        ].compactMap { $0 }
        if !terms.addOns.isEmpty { fields.append(Field("add_ons", list(terms.addOns.map(text)))) }
        for (feature, seats) in terms.seats.sorted(by: { $0.key < $1.key }) {
            fields.append(Field("seats \(feature)", text(seats, scale: 0)))
        }
        return fields
    }

    private static func text(_ addOn: SubscriptionTerms.AddOn) -> String {
        var text = addOn.key.rawValue
        if addOn.quantity != 1 { text += " × \(addOn.quantity)" }
        if let start = addOn.start { text += " from \(start.rfc3339())" }
        if let end = addOn.end { text += " to \(end.rfc3339())" }
        return text
    }
}
