import MeteringModel
import Yams

extension CatalogReader {
    mutating func readPlan(_ node: Node) {
        let known = ["key", "entitlements"]
        guard let members = nodes.members(of: node, "a plan", known: known) else { return }
        let key = requiredText("key", in: members, "a plan")
        var plan = PlanDefinition(key: PlanKey(key ?? ""), entitlements: [:])
        if let list = members["entitlements"], !NodeReader.isNull(list),
            let entries = nodes.members(of: list, "entitlements", known: nil)
        {
            for entry in entries.entries {
                let feature = FeatureKey(entry.name)
                plan.entitlements[feature] = entitlement(entry.value, of: feature)
            }
        }
        catalog.plans.append(plan)
    }

    /// Reads what the feature's type asks for; the shape decides where the feature is unknown,
    /// which is reported when all is checked.
    private mutating func entitlement(
        _ node: Node, of key: FeatureKey
    ) -> EntitlementDefinition? {
        let feature = features[key]
        let type = feature?.type ?? (node.mapping == nil ? .static : .metered)
        switch type {
        case .boolean:
            return nodes.bool(node, "\"\(key)\", a boolean feature").map { .boolean($0) }
        case .static:
            return nodes.text(node, "\"\(key)\", a static feature").map { .value($0) }
        case .metered:
            let scale = feature?.meter.flatMap { scales[$0] } ?? 0
            return metered(node, "\"\(key)\", a metered feature", scale: scale)
                .map { .metered($0) }
        }
    }

    private mutating func metered(
        _ node: Node, _ what: String, scale: Int
    ) -> MeteredEntitlement? {
        let known = [
            "limit", "period", "anchor", "thresholds", "enforcement", "on_outage", "durability",
        ]
        guard let members = nodes.members(of: node, what, known: known) else { return nil }
        let limit = nodes.required("limit", in: members, what).flatMap {
            nodes.limit($0, scale: scale)
        }
        let period = nodes.required("period", in: members, what).flatMap {
            nodes.choice($0, "period", PeriodUnit.self)
        }
        var metered = MeteredEntitlement(limit: limit ?? .unlimited, period: period ?? .month)
        if let anchor = members["anchor"] {
            metered.anchor =
                nodes.choice(anchor, "anchor", MeteredEntitlement.Anchor.self) ?? .calendar
        }
        if let list = members["thresholds"] {
            metered.thresholds = nodes.items(of: list, "thresholds").compactMap {
                nodes.threshold($0, scale: scale)
            }
        }
        if let enforcement = members["enforcement"] {
            metered.enforcement =
                nodes.choice(enforcement, "enforcement", EnforcementMode.self) ?? .hard
        }
        if let policy = members["on_outage"] {
            metered.onOutage = nodes.outagePolicy(policy, scale: scale) ?? .closed
        }
        if let durability = members["durability"] {
            metered.durability =
                nodes.choice(durability, "durability", AdmissionDurability.self) ?? .logged
        }
        return metered
    }

    // MARK: customers

    mutating func readCustomer(_ node: Node) {
        let known = ["id", "time_zone", "subjects", "parent", "subscription"]
        guard let members = nodes.members(of: node, "a customer", known: known) else { return }
        let id = requiredText("id", in: members, "a customer")
        var customer = CustomerDefinition(id: CustomerID(id ?? ""))
        var rules = TimeZoneRules.utc
        if let name = members["time_zone"] {
            customer.timeZone = nodes.text(name, "time_zone") ?? customer.timeZone
            rules = zone(customer.timeZone, at: name)
        }
        if let list = members["subjects"] {
            customer.subjects = nodes.items(of: list, "subjects").compactMap {
                nodes.text($0, "a subject").map { SubjectID($0) }
            }
        }
        if let parent = members["parent"] {
            customer.parent = nodes.text(parent, "parent").map { CustomerID($0) }
        }
        if let subscription = members["subscription"] {
            customer.subscription = self.subscription(subscription, rules)
        }
        catalog.customers.append(customer)
    }

    private mutating func zone(_ name: String, at node: Node) -> TimeZoneRules {
        if let known = zones[name] { return known }
        do {
            let rules = try zone(name)
            zones[name] = rules
            return rules
        } catch {
            nodes.report(node, error.description)
            return .utc
        }
    }

    private mutating func subscription(
        _ node: Node, _ zone: TimeZoneRules
    ) -> CustomerDefinition.Subscription? {
        let known = ["plan", "start"]
        let what = "a subscription"
        guard let members = nodes.members(of: node, what, known: known) else { return nil }
        let plan = requiredText("plan", in: members, what)
        guard let place = nodes.required("start", in: members, what),
            let text = nodes.text(place, "start"), let plan
        else { return nil }
        guard let start = Self.instant(text, in: zone) else {
            nodes.report(
                place,
                "\"\(text)\" is neither a date like 2026-01-31 nor an instant like "
                    + "2026-01-31T09:00:00Z")
            return nil
        }
        return .init(plan: PlanKey(plan), start: start)
    }

    /// An RFC 3339 instant, or a date, which means its midnight in the zone.
    private static func instant(_ text: String, in zone: TimeZoneRules) -> Timestamp? {
        if text.utf8.count != 10 { return Timestamp(rfc3339: text) }
        // A date is valid just when it is with a time behind it.
        guard let noon = Timestamp(rfc3339: text + "T12:00:00Z") else { return nil }
        return zone.instant(TimeZoneRules.utc.civilDate(at: noon))
    }
}
