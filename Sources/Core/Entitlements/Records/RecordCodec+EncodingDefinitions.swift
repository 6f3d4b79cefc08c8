package import MeteringModel

extension RecordCodec {
    package static func encode(_ product: ProductDefinition) -> JSONValue {
        .members([
            "key": .string(product.key.rawValue), "name": text(product.name),
            "default_plan": product.defaultPlan.map { .string($0.rawValue) },
        ])
    }

    package static func encode(_ meter: MeterDefinition) -> JSONValue {
        .members([
            "key": .string(meter.key.rawValue), "event_type": .string(meter.eventType),
            "aggregation": .string(meter.aggregation.rawValue),
            "value": meter.value.map { .string($0.text) },
            "unit": meter.unit.isEmpty ? nil : .string(meter.unit),
            "scale": meter.scale == 0 ? nil : .integer(meter.scale),
            "group_by": map(
                Dictionary(meter.groupBy.map { ($0.name, $0.path.text) }) { first, _ in first }),
            "filters": meter.filters.isEmpty
                ? nil
                : .object(
                    Dictionary(
                        meter.filters.map { filter in
                            (filter.path.text, .array(filter.accepted.map(JSONValue.string)))
                        }
                    ) { first, _ in first }),
            "allow_negative": meter.allowsNegative ? .bool(true) : nil,
            "max_groups": meter.groupsMax == MeterDefinition.groupsMaxUsual
                ? nil : .integer(meter.groupsMax),
        ])
    }

    package static func encode(_ feature: FeatureDefinition) -> JSONValue {
        .members([
            "key": .string(feature.key.rawValue), "name": text(feature.name),
            "type": .string(feature.type.rawValue),
            "meter": feature.meter.map { .string($0.rawValue) },
            "counting": word(feature.counting, usual: .events),
        ])
    }

    /// The content of one version with the plan's key: what users write, and see.
    package static func encode(_ plan: PlanDefinition, _ context: CodecContext) -> JSONValue {
        var members = content(plan, context)
        members["key"] = .string(plan.key.rawValue)
        return .object(members)
    }

    package static func encode(_ plan: StoredPlan, _ context: CodecContext) -> JSONValue {
        let latest = plan.latest
        let versions = plan.versions.map {
            (String($0.version), JSONValue.object(content($0, context)))
        }
        return .members([
            "key": .string(plan.key.rawValue), "name": text(latest.name),
            "product": .string(latest.product.rawValue), "latest": .integer(latest.version),
            "versions": .object(Dictionary(versions) { first, _ in first }),
        ])
    }

    private static func content(
        _ plan: PlanDefinition, _ context: CodecContext
    ) -> [String: JSONValue] {
        var entitlements: [String: JSONValue] = [:]
        for (feature, entitlement) in plan.entitlements {
            entitlements[feature.rawValue] = encode(
                entitlement, plan.bindings[feature], scale: context.scale(of: feature))
        }
        return [
            "name": text(plan.name), "product": .string(plan.product.rawValue),
            "currency": plan.currency.map { .string($0.code) },
            "fee": plan.fee.map { encode($0) }, "entitlements": .object(entitlements),
        ].compactMapValues { $0 }
    }

    /// One entitlement of a plan; its form alone tells which type it is.
    package static func encode(
        _ entitlement: EntitlementDefinition, _ binding: Binding?, scale: Int
    ) -> JSONValue {
        let bound = [
            "domains": list(binding?.domains.map(JSONValue.string) ?? []),
            "regions": list(binding?.regions.map(JSONValue.string) ?? []),
        ].compactMapValues { $0 }
        var members: [String: JSONValue]
        switch entitlement {
        case .boolean(let isOn):
            if bound.isEmpty { return .bool(isOn) }
            members = ["enabled": .bool(isOn)]
        case .value(let text):
            if bound.isEmpty { return .string(text) }
            members = ["value": .string(text)]
        case .metered(let metered): members = encode(metered, scale: scale)
        case .seats(let seats):
            members = [
                "seats": limit(seats.seats, scale: 0), "mode": word(seats.mode, usual: .named),
                "heartbeat": seats.heartbeatSeconds == 300
                    ? nil : .string("\(seats.heartbeatSeconds)s"),
                "price": seats.price.map { encode($0) },
            ].compactMapValues { $0 }
        }
        members.merge(bound) { own, _ in own }
        return .object(members)
    }

    private static func encode(
        _ metered: MeteredEntitlement, scale: Int
    ) -> [String: JSONValue] {
        [
            "limit": limit(metered.limit, scale: scale),
            "period": .string(metered.period.rawValue),
            "anchor": word(metered.anchor, usual: .calendar),
            "thresholds": list(metered.thresholds.map { threshold($0, scale: scale) }),
            "enforcement": word(metered.enforcement, usual: .hard),
            "on_outage": metered.onOutage == .closed
                ? nil : outagePolicy(metered.onOutage, scale: scale),
            "durability": word(metered.durability, usual: .logged),
            "grace": metered.grace.map { grace($0, scale: scale) },
            "overage_max": metered.overageMax.map { quantity($0, scale: scale) },
            "price": metered.price.map { encode($0, scale: scale) },
        ].compactMapValues { $0 }
    }

    package static func encode(_ addOn: AddOnDefinition, _ context: CodecContext) -> JSONValue {
        var entitlements: [String: JSONValue] = [:]
        for (feature, entitlement) in addOn.entitlements {
            entitlements[feature.rawValue] =
                switch entitlement {
                case .boolean(let isOn): .bool(isOn)
                case .value(let text): .string(text)
                case .metered(let added):
                    .object(["limit": limit(added.limit, scale: context.scale(of: feature))])
                case .seats(let added): .object(["seats": limit(added.seats, scale: 0)])
                }
        }
        return .members([
            "key": .string(addOn.key.rawValue), "name": text(addOn.name),
            "product": .string(addOn.product.rawValue),
            "currency": addOn.currency.map { .string($0.code) },
            "fee": addOn.fee.map { encode($0) }, "entitlements": .object(entitlements),
        ])
    }

    package static func encode(_ stripe: StripeMapping) -> JSONValue {
        let prices = stripe.prices.mapValues { target -> JSONValue in
            switch target {
            case .plan(let key): .object(["plan": .string(key.rawValue)])
            case .addOn(let key): .object(["add_on": .string(key.rawValue)])
            case .seats(let feature): .object(["seats": .string(feature.rawValue)])
            }
        }
        return .members([
            "prices": .object(prices),
            "meters": stripe.meters.isEmpty
                ? nil
                : .object(
                    Dictionary(stripe.meters.map { ($0.key.rawValue, encode($0.value)) }) {
                        first, _ in first
                    }),
            "on_payment_failed": word(stripe.onPaymentFailed, usual: .suspend),
            "failed_attempts": stripe.failedAttempts == 1
                ? nil : .integer(stripe.failedAttempts),
        ])
    }
}
