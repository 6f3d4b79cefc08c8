package import MeteringModel

extension RecordCodec {
    package static func encode(_ record: Recorded<CustomerProfile>) -> JSONValue {
        var members = encode(record.terms)
        members["id"] = record.id.map(JSONValue.string)
        members["managed_by"] = record.managedBy.map(JSONValue.string)
        return .object(members)
    }

    private static func encode(_ profile: CustomerProfile) -> [String: JSONValue] {
        [
            "name": text(profile.name),
            "time_zone": profile.timeZone == "UTC" ? nil : .string(profile.timeZone),
            "parent": profile.parent.map { .string($0.rawValue) },
            "inherits": profile.inherits ? nil : .bool(false),
            "environment": word(profile.environment, usual: .production),
            "subjects": list(
                profile.subjects.map { subject in
                    guard let word = word(subject.environment, usual: .production) else {
                        return .string(subject.id.rawValue)
                    }
                    return .object(["id": .string(subject.id.rawValue), "environment": word])
                }),
            "external_ids": map(profile.externalIDs), "owner": text(profile.owner),
            "metadata": map(profile.metadata),
        ].compactMapValues { $0 }
    }

    /// As catalog documents write it: `subscription` where there is one.
    package static func encode(_ customer: CustomerDefinition) -> JSONValue {
        var members = encode(customer.profile)
        members["id"] = .string(customer.id.rawValue)
        let subscriptions = customer.subscriptions.map { subscription in
            var members = encode(subscription.terms)
            members["id"] = subscription.id.map(JSONValue.string)
            return JSONValue.object(members)
        }
        if subscriptions.count == 1 {
            members["subscription"] = subscriptions[0]
        } else {
            members["subscriptions"] = list(subscriptions)
        }
        return .object(members)
    }

    package static func encode(_ record: Recorded<SubscriptionTerms>) -> JSONValue {
        owned(record, encode(record.terms))
    }

    private static func encode(_ terms: SubscriptionTerms) -> [String: JSONValue] {
        [
            "plan": .string(terms.plan.rawValue),
            "version": terms.planVersion == 0 ? nil : .integer(terms.planVersion),
            "start": time(terms.start), "end": time(terms.end),
            "trial_end": time(terms.trialEnd),
            "trial_converts": terms.trialConverts ? .bool(true) : nil,
            "renewal": word(terms.renewal, usual: .automatic),
            "billing_frequency": word(terms.billingFrequency, usual: .monthly),
            "anchor": time(terms.anchor), "add_ons": list(terms.addOns.map(encode)),
            "seats": terms.seats.isEmpty
                ? nil
                : .object(
                    Dictionary(
                        uniqueKeysWithValues: terms.seats.map {
                            ($0.key.rawValue, limit($0.value, scale: 0))
                        })),
        ].compactMapValues { $0 }
    }

    private static func encode(_ addOn: SubscriptionTerms.AddOn) -> JSONValue {
        if addOn.quantity == 1, addOn.start == nil, addOn.end == nil {
            return .string(addOn.key.rawValue)
        }
        return .members([
            "key": .string(addOn.key.rawValue),
            "quantity": addOn.quantity == 1 ? nil : .integer(addOn.quantity),
            "start": time(addOn.start), "end": time(addOn.end),
        ])
    }

    package static func encode(
        _ record: Recorded<OverrideTerms>, _ context: CodecContext
    ) -> JSONValue {
        let terms = record.terms
        let scale = context.scale(of: terms.feature)
        let value: JSONValue =
            switch terms.value {
            case .boolean(let isOn): .bool(isOn)
            case .value(let text): .string(text)
            case .metered(let change): encode(change, scale: scale)
            case .seats(let seats): .object(["seats": limit(seats, scale: 0)])
            }
        return owned(
            record,
            [
                "feature": .string(terms.feature.rawValue), "value": value,
                "domains": list(terms.binding?.domains.map(JSONValue.string) ?? []),
                "regions": list(terms.binding?.regions.map(JSONValue.string) ?? []),
                "start": time(terms.start), "end": time(terms.end),
                "priority": terms.priority == 0 ? nil : .integer(terms.priority),
                "reason": .string(terms.reason),
            ].compactMapValues { $0 })
    }

    private static func encode(_ change: OverrideTerms.MeteredChange, scale: Int) -> JSONValue {
        .members([
            "limit": change.limit.map { limit($0, scale: scale) },
            "period": change.period.map { .string($0.rawValue) },
            "anchor": change.anchor.map { .string($0.rawValue) },
            "thresholds": change.thresholds.map { .array($0.map { threshold($0, scale: scale) }) },
            "enforcement": change.enforcement.map { .string($0.rawValue) },
            "on_outage": change.onOutage.map { outagePolicy($0, scale: scale) },
            "grace": change.grace.map { grace($0, scale: scale) },
            "overage_max": change.overageMax.map { quantity($0, scale: scale) },
        ])
    }

    package static func encode(
        _ record: Recorded<GrantTerms>, _ context: CodecContext
    ) -> JSONValue {
        let terms = record.terms
        let scale = context.scale(of: terms.feature)
        let rollover = [
            "min": terms.rolloverMin == 0 ? nil : quantity(terms.rolloverMin, scale: scale),
            "max": terms.rolloverMax.map { quantity($0, scale: scale) },
        ].compactMapValues { $0 }
        return owned(
            record,
            [
                "feature": .string(terms.feature.rawValue),
                "amount": quantity(terms.amount, scale: scale),
                "priority": terms.priority == 0 ? nil : .integer(terms.priority),
                "start": time(terms.start), "expires": time(terms.expires),
                "rollover": rollover.isEmpty ? nil : .object(rollover),
                "reason": .string(terms.reason),
            ].compactMapValues { $0 })
    }

    package static func encode(_ record: Recorded<SuspensionTerms>) -> JSONValue {
        let terms = record.terms
        return owned(
            record,
            [
                "product": terms.product.map { .string($0.rawValue) }, "start": time(terms.start),
                "end": time(terms.end), "reason": .string(terms.reason),
            ].compactMapValues { $0 })
    }

    package static func encode(_ record: Recorded<RevocationTerms>) -> JSONValue {
        let terms = record.terms
        return owned(
            record,
            [
                "product": .string(terms.product.rawValue), "start": time(terms.start),
                "end": time(terms.end), "reason": .string(terms.reason),
            ].compactMapValues { $0 })
    }

    package static func encode(_ seat: SeatRecord) -> JSONValue {
        .members([
            "customer": .string(seat.customer.rawValue), "feature": .string(seat.feature.rawValue),
            "holder": .string(seat.holder), "assigned_at": time(seat.assignedAt),
        ])
    }

    private static func owned(
        _ record: Recorded<some Hashable & Sendable>, _ members: [String: JSONValue]
    ) -> JSONValue {
        var members = members
        members["id"] = record.id.map(JSONValue.string)
        members["customer"] = record.customer.map { .string($0.rawValue) }
        members["managed_by"] = record.managedBy.map(JSONValue.string)
        if !record.metadata.isEmpty { members["metadata"] = map(record.metadata) }
        return .object(members)
    }
}
