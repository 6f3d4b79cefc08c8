import MeteringModel
import MeteringPorts

extension OrderIntake {
    /// Overrides that orders make are named after what they are for.
    private func overridePrefix(_ ordered: OrderedPlan) -> String {
        "\(payload.customer):\(ordered.plan.product):"
    }

    // MARK: the subscription

    func putSubscription(
        _ id: String, _ ordered: OrderedPlan, _ existing: OrderSubscription?, _ terms: OrderTerms,
        _ allowances: [FeatureKey: OrderedPlan.Allowance], on draft: inout ControlDraft
    ) throws(ControlProblem) {
        let customer = payload.customer
        if let existing, terms.start < min(existing.start, terms.effectiveAt) {
            // The term began earlier than was known: rights reach back, the rest does not.
            try draft.patch(
                .subscription, id, .object(["start": .string(terms.start.rfc3339())]),
                effectiveAt: terms.start, reason: reason)
        }
        let before = try draft.document(.subscription, id, at: terms.effectiveAt)
        var document = (before ?? .object([:])).setting([
            "id": .string(id), "customer": .string(customer.rawValue),
            "plan": .string(ordered.plan.key.rawValue), "version": .integer(ordered.plan.version),
            "start": .string(terms.start.rfc3339()),
            "end": terms.end.map { .string($0.rfc3339()) },
        ])
        if !terms.keepsTrial || terms.trialEnd != nil {
            document = document.setting([
                "trial_end": terms.trialEnd.map { .string($0.rfc3339()) }, "trial_converts": nil,
            ])
        }
        if let existing, existing.plan != ordered.plan.key, existing.start != terms.start,
            document["anchor"] == nil
        {
            // Billing periods go on as they were, whatever the new plan's first day is.
            document = document.setting(["anchor": .string(existing.start.rfc3339())])
        }
        let seats = boughtSeats(before, ordered, allowances)
        document = document.setting(["seats": seats.isEmpty ? nil : .object(seats)])
        if let license = payload.license {
            let metadata = document["metadata"] ?? .object([:])
            document = document.setting([
                "metadata": metadata.setting(["license_type": .string(license.rawValue)])
            ])
        }
        try draft.putDocument(
            .subscription, id, customer: customer, document, effectiveAt: terms.effectiveAt,
            reason: reason)
    }

    /// What was bought before and the plan still gives, with the order's numbers.
    private func boughtSeats(
        _ before: JSONValue?, _ ordered: OrderedPlan,
        _ allowances: [FeatureKey: OrderedPlan.Allowance]
    ) -> [String: JSONValue] {
        var seats = before?["seats"]?.object ?? [:]
        seats = seats.filter { ordered.plan.entitlements[FeatureKey($0.key)] != nil }
        for case .seats(let feature, let limit) in allowances.values
        where ordered.plan.entitlements[feature] != nil {
            seats[feature.rawValue] = Self.document(limit)
        }
        return seats
    }

    // MARK: overrides

    /// - Returns: ids of the overrides that the order stands behind, sorted.
    func putOverrides(
        _ ordered: OrderedPlan, _ terms: OrderTerms, isFirst: Bool,
        _ allowances: [FeatureKey: OrderedPlan.Allowance], on draft: inout ControlDraft
    ) throws(ControlProblem) -> [String] {
        let wanted = try overrideValues(ordered, allowances)
        let prefix = overridePrefix(ordered)
        var ids = Set(wanted.keys.map { prefix + $0.rawValue })
        for history in try draft.records(.override, ofCustomer: payload.customer)
        where history.id.hasPrefix(prefix) && !ids.contains(history.id) {
            guard let document = history.document(at: terms.effectiveAt),
                let feature = document["feature"]?.text,
                history.id == prefix + feature
            else { continue }
            if isSilent(about: ordered.features[FeatureKey(feature)]?.type) {
                ids.insert(history.id)
                try put(document, history.id, terms, on: &draft)
            } else {
                try draft.delete(
                    .override, history.id, effectiveAt: terms.effectiveAt, reason: reason)
            }
        }
        for (feature, value) in wanted.sorted(by: { $0.key < $1.key }) {
            let id = prefix + feature.rawValue
            if let other = try draft.history(.override, id), other.customer != payload.customer {
                throw OrderSubscription.taken(.override, id, by: other.customer)
            }
            let start = isFirst ? terms.start : terms.effectiveAt
            let before = try draft.document(.override, id, at: terms.effectiveAt)
            let document =
                before
                ?? .object([
                    "id": .string(id), "customer": .string(payload.customer.rawValue),
                    "feature": .string(feature.rawValue), "start": .string(start.rfc3339()),
                ])
            try put(document.setting(["value": value]), id, terms, on: &draft)
        }
        return ids.sorted()
    }

    private func put(
        _ document: JSONValue, _ id: String, _ terms: OrderTerms, on draft: inout ControlDraft
    ) throws(ControlProblem) {
        let reason = self.reason ?? document["reason"]?.text ?? "ordered"
        try draft.putDocument(
            .override, id, customer: payload.customer,
            document.setting([
                "end": terms.over.map { .string($0.rfc3339()) }, "reason": .string(reason),
            ]), effectiveAt: terms.effectiveAt, reason: reason)
    }

    private func overrideValues(
        _ ordered: OrderedPlan, _ allowances: [FeatureKey: OrderedPlan.Allowance]
    ) throws(ControlProblem) -> [FeatureKey: JSONValue] {
        var values: [FeatureKey: JSONValue] = [:]
        for (index, feature) in (payload.features ?? []).enumerated() {
            if try ordered.needsSwitch(feature, field: "features[\(index)]") {
                values[feature] = .bool(true)
            }
        }
        for allowance in allowances.values {
            switch allowance {
            case .units(let feature, let limit, let period):
                values[feature] = .members([
                    "limit": Self.document(limit), "period": period.map { .string($0.rawValue) },
                ])
            case .seats(let feature, let limit):
                if ordered.plan.entitlements[feature] == nil {
                    values[feature] = .object(["seats": Self.document(limit)])
                }
            }
        }
        return values
    }

    /// Whether the payload leaves out the member that speaks of such features; one that is there
    /// is the whole list.
    private func isSilent(about type: FeatureType?) -> Bool {
        switch type {
        case .boolean: payload.features == nil
        case .metered: payload.limits == nil
        case .seat: payload.limits == nil && payload.seats == nil
        case .static, nil: true
        }
    }

    private static func document(_ limit: Limit) -> JSONValue {
        switch limit {
        case .finite(let units): .integer(units)
        case .unlimited: .string("unlimited")
        }
    }
}
