import Entitlements
package import MeteringModel
package import MeteringPorts

/// Turns an order into records: the customer where there is none, one subscription, overrides for
/// what the plan gives otherwise. Ids follow from the order, so the same order twice is one, and
/// another order for the same account and product changes what differs, in place.
package struct OrderIntake {
    /// What an order led to.
    package struct Outcome: Hashable, Sendable {
        package var customer: CustomerID
        package var subscription: String
        /// Ids of the overrides that orders for this account and product hold, sorted.
        package var overrides: [String]
    }

    let payload: VendorPayload
    let zone: TimeZoneRules
    /// From when on the order holds.
    let effectiveAt: Timestamp
    /// Why, as the payload or the request says.
    let reason: String?

    /// Carries an order out on the draft.
    /// - Throws: `.unprocessable` with the member at fault.
    @discardableResult
    package static func apply(
        _ payload: VendorPayload, to draft: inout ControlDraft
    ) throws(ControlProblem) -> Outcome {
        let zone = try draft.zoneRules(of: payload.customer)
        let intake = OrderIntake(
            payload: payload, zone: zone,
            effectiveAt: payload.effectiveAt?.instant(in: zone, isEnd: false) ?? draft.effectiveAt,
            reason: payload.reason ?? draft.context.reason)
        return try intake.apply(to: &draft)
    }

    /// `POST /v1/entitlements`
    package static func perform(
        _ command: ControlCommand, on engine: ControlEngine
    ) async throws(ControlProblem) -> ControlAnswer {
        try await engine.run(command.context, digest: command.digest) {
            (draft) throws(ControlProblem) in
            try provision(command.body, on: &draft)
        }
    }

    /// The whole command: the order's records as they are afterwards.
    package static func provision(
        _ body: JSONValue, on draft: inout ControlDraft
    ) throws(ControlProblem) -> ControlAnswer {
        let outcome = try apply(VendorPayload(body), to: &draft)
        var overrides: [JSONValue] = []
        for id in outcome.overrides {
            guard let document = try draft.history(.override, id)?.latest else { continue }
            overrides.append(document.merging(.object(["id": .string(id)])))
        }
        let customer = try draft.history(.customer, outcome.customer.rawValue)?.latest
        let subscription = try draft.history(.subscription, outcome.subscription)?.latest
        let revision = draft.changes.last?.sequence ?? draft.snapshot.revision
        return ControlAnswer(
            body: .object([
                "account_id": .string(outcome.customer.rawValue),
                "customer": (customer ?? .object([:])).merging(
                    .object(["id": .string(outcome.customer.rawValue)])),
                "subscription": (subscription ?? .object([:])).merging(
                    .object(["id": .string(outcome.subscription)])),
                "overrides": .array(overrides),
                "changed": .integer(draft.changedCount),
                "entitlements_revision": .integer(revision),
            ]))
    }

    private func apply(to draft: inout ControlDraft) throws(ControlProblem) -> Outcome {
        let (ordered, existing) = try choosePlan(draft)
        let terms = try OrderTerms(payload, zone, existing, effectiveAt)
        let customer = payload.customer
        if try draft.document(.customer, customer.rawValue, at: terms.effectiveAt) == nil {
            try draft.put(
                .customer, customer.rawValue, customer: customer, .object([:]),
                reason: reason)
        }
        let allowances = try self.allowances(ordered)
        let id = existing?.id ?? "\(customer):\(ordered.plan.product)"
        try putSubscription(id, ordered, existing, terms, allowances, on: &draft)
        let overrides = try putOverrides(
            ordered, terms, isFirst: existing == nil, allowances, on: &draft)
        return Outcome(customer: customer, subscription: id, overrides: overrides)
    }

    // MARK: which plan

    /// The plan of the order, in the version that will hold; and the subscription it changes.
    private func choosePlan(
        _ draft: ControlDraft
    ) throws(ControlProblem) -> (OrderedPlan, OrderSubscription?) {
        var plan = try payload.plan.map { (key) throws(ControlProblem) in
            try draft.requirePlan(key, field: "plan")
        }
        let product: ProductKey
        if let plan {
            product = plan.product
            if let named = payload.product, named != product {
                throw ControlProblem(
                    .unprocessable, "plan_of_other_product",
                    "plan \(plan.key) belongs to product \(product), not to \(named)",
                    field: "product")
            }
        } else {
            (product, plan) = try productAlone(draft)
        }
        let existing = try OrderSubscription.find(
            payload.customer, product, at: effectiveAt, in: draft)
        if let existing, payload.plan == nil || payload.plan == existing.plan {
            plan = try draft.requirePlan(existing.plan, version: existing.version, field: "plan")
        }
        guard let plan else {
            throw ControlProblem(
                .unprocessable, "no_default_plan",
                "product \(product) has no default_plan; name a plan of it", field: "product")
        }
        return (OrderedPlan(plan, draft.definitions), existing)
    }

    /// A product stands for its default plan, or for the plan of the same name.
    private func productAlone(
        _ draft: ControlDraft
    ) throws(ControlProblem) -> (ProductKey, PlanDefinition?) {
        guard let named = payload.product else { return (.default, nil) }
        let declared = draft.definitions.products.first { $0.key == named }
        if let key = declared?.defaultPlan {
            return (named, try draft.requirePlan(key, field: "product"))
        }
        if let plan = draft.definitions.plans.first(where: { $0.key.rawValue == named.rawValue }) {
            return (plan.product, plan)
        }
        return (try draft.requireProduct(named, field: "product"), nil)
    }

    // MARK: how much

    /// By feature; one feature named twice with different numbers is refused.
    private func allowances(
        _ ordered: OrderedPlan
    ) throws(ControlProblem) -> [FeatureKey: OrderedPlan.Allowance] {
        var allowances: [FeatureKey: OrderedPlan.Allowance] = [:]
        for limit in payload.limits ?? [] {
            let allowance = try ordered.allowance(limit)
            let other = allowances.updateValue(allowance, forKey: allowance.feature)
            if let other, other != allowance { throw contradiction(limit.field) }
        }
        if let seats = payload.seats {
            let feature = try ordered.seatFeature(field: "seats")
            let other = allowances.updateValue(.seats(feature, seats), forKey: feature)
            if let other, other != .seats(feature, seats) { throw contradiction("seats") }
        }
        return allowances
    }

    private func contradiction(_ field: String) -> ControlProblem {
        ControlProblem(
            .unprocessable, "contradiction",
            "\(field) limits a feature that another member limits to another number", field: field)
    }
}
