import MeteringModel
import MeteringPorts

/// What the items of a Stripe subscription or checkout stand for here.
struct StripePurchase {
    var plan: PlanDefinition?
    /// Sorted by key.
    var addOns: [(key: AddOnKey, quantity: Int64)] = []
    var seats: [FeatureKey: Int64] = [:]
    var frequency: SubscriptionTerms.BillingFrequency?

    /// - Throws: `unknown_price` for a price that the mapping does not have: Stripe tries again
    ///   later, so the event is not lost once the mapping has it.
    init(_ items: [StripeItem], _ draft: ControlDraft) throws(ControlProblem) {
        let mapping = draft.definitions.stripe ?? StripeMapping()
        var quantities: [AddOnKey: Int64] = [:]
        for item in items {
            let target = item.names.lazy.compactMap { mapping.prices[$0] }.first
            guard let target else { throw Self.unknown(item) }
            switch target {
            case .plan(let key):
                let plan = try draft.requirePlan(key, field: item.field)
                if let other = self.plan, other.key != key {
                    throw ControlProblem(
                        .unprocessable, "several_plans",
                        "the items stand for two plans, \(other.key) and \(key); a subscription "
                            + "has one",
                        field: item.field)
                }
                self.plan = plan
                frequency = item.frequency ?? frequency
            case .addOn(let key):
                _ = try draft.requireAddOn(key, field: item.field)
                quantities[key] = try Self.sum(quantities[key], item)
            case .seats(let feature):
                _ = try draft.requireFeature(feature, field: item.field)
                seats[feature] = try Self.sum(seats[feature], item)
            }
        }
        addOns = quantities.filter { $0.value > 0 }.sorted { $0.key < $1.key }
            .map { ($0.key, $0.value) }
        if frequency == nil { frequency = items.lazy.compactMap(\.frequency).first }
    }

    /// Those members of a subscription that the items decide.
    func members(keeping before: JSONValue?) -> [String: JSONValue?] {
        var members: [String: JSONValue?] = [
            "add_ons": addOns.isEmpty
                ? nil
                : .array(
                    addOns.map {
                        .object([
                            "key": .string($0.key.rawValue), "quantity": .integer($0.quantity),
                        ])
                    }),
            "seats": seats.isEmpty
                ? nil
                : .object(
                    Dictionary(
                        uniqueKeysWithValues: seats.map { ($0.key.rawValue, .integer($0.value)) })),
        ]
        if let frequency { members["billing_frequency"] = .string(frequency.rawValue) }
        if let plan, before?["plan"]?.text != plan.key.rawValue {
            // A subscription stays on the version it was bought in until its plan is another.
            members["plan"] = .string(plan.key.rawValue)
            members["version"] = .integer(plan.version)
        }
        return members
    }

    private static func sum(_ before: Int64?, _ item: StripeItem) throws(ControlProblem) -> Int64 {
        let (sum, overflow) = (before ?? 0).addingReportingOverflow(item.quantity)
        if !overflow { return sum }
        throw ControlProblem(
            .unprocessable, "invalid_event", "the quantities are too large", field: item.field)
    }

    private static func unknown(_ item: StripeItem) -> ControlProblem {
        var others: [String] = []
        if let key = item.lookupKey { others.append("lookup key \(key)") }
        if let product = item.product { others.append("product \(product)") }
        let also = others.isEmpty ? "" : " (\(others.joined(separator: ", ")))"
        return ControlProblem(
            .unprocessable, "unknown_price",
            "price \(item.price)\(also) is not in the catalog's stripe mapping; add it under "
                + "stripe.prices",
            field: item.field)
    }
}
