package import MeteringModel

/// The catalog's values as people write them, for comparing and showing.
package struct CatalogText {
    struct Field {
        /// Unique within its item.
        var name: String
        /// Empty where the name says it all.
        var text: String

        var label: String { text.isEmpty ? name : "\(name) \(text)" }
    }

    /// Decimal places of each metered feature.
    private let scales: [FeatureKey: Int]

    package init(_ catalog: Catalog) {
        let meters = Dictionary(catalog.meters.map { ($0.key, $0.scale) }) { first, _ in first }
        let pairs = catalog.features.compactMap { feature in
            feature.meter.flatMap { meters[$0] }.map { (feature.key, $0) }
        }
        scales = Dictionary(pairs) { first, _ in first }
    }

    package func scale(of feature: FeatureKey) -> Int { scales[feature] ?? 0 }

    func fields(_ meter: MeterDefinition) -> [Field] {
        var fields = [
            Field(name: "event_type", text: meter.eventType),
            Field(name: "aggregation", text: meter.aggregation.rawValue),
        ]
        if let value = meter.value { fields.append(Field(name: "value", text: value.text)) }
        if !meter.unit.isEmpty { fields.append(Field(name: "unit", text: meter.unit)) }
        if meter.scale != 0 { fields.append(Field(name: "scale", text: String(meter.scale))) }
        for dimension in meter.groupBy {
            fields.append(Field(name: "group_by \(dimension.name)", text: dimension.path.text))
        }
        for filter in meter.filters {
            let accepted = filter.accepted.joined(separator: ", ")
            fields.append(Field(name: "filter \(filter.path.text)", text: "[\(accepted)]"))
        }
        if meter.allowsNegative { fields.append(Field(name: "allow_negative", text: "true")) }
        return fields
    }

    func fields(_ feature: FeatureDefinition) -> [Field] {
        var fields = [Field(name: "type", text: feature.type.rawValue)]
        if let meter = feature.meter {
            fields.append(Field(name: "meter", text: meter.rawValue))
            fields.append(Field(name: "counting", text: feature.counting.rawValue))
        }
        return fields
    }

    func fields(_ plan: PlanDefinition) -> [Field] {
        plan.entitlements.sorted { $0.key < $1.key }.flatMap { feature, entitlement in
            switch entitlement {
            case .boolean(let isOn): [Field(name: feature.rawValue, text: String(isOn))]
            case .value(let text): [Field(name: feature.rawValue, text: text)]
            case .metered(let metered):
                Self.fields(metered, scale: scale(of: feature)).map {
                    Field(name: "\(feature) \($0.name)", text: $0.text)
                }
            }
        }
    }

    func fields(_ customer: CustomerDefinition) -> [Field] {
        var fields = [Field(name: "time_zone", text: customer.timeZone)]
        if let parent = customer.parent {
            fields.append(Field(name: "parent", text: parent.rawValue))
        }
        if let subscription = customer.subscription {
            fields.append(Field(name: "plan", text: subscription.plan.rawValue))
            fields.append(Field(name: "start", text: subscription.start.rfc3339()))
        }
        for subject in customer.subjects.sorted() {
            fields.append(Field(name: "subject \(subject)", text: ""))
        }
        return fields
    }

    private static func fields(_ metered: MeteredEntitlement, scale: Int) -> [Field] {
        var fields = [
            Field(name: "limit", text: text(metered.limit, scale: scale)),
            Field(name: "period", text: metered.period.rawValue),
            Field(name: "anchor", text: metered.anchor.rawValue),
            Field(name: "enforcement", text: metered.enforcement.rawValue),
        ]
        let thresholds = metered.thresholds.map { text($0, scale: scale) }
        fields.append(Field(name: "thresholds", text: "[\(thresholds.joined(separator: ", "))]"))
        fields.append(Field(name: "on_outage", text: text(metered.onOutage, scale: scale)))
        fields.append(Field(name: "durability", text: metered.durability.rawValue))
        return fields
    }

    /// The parts of a plan's digest; changing their form makes new versions of all plans.
    static func digestParts(of entitlement: EntitlementDefinition) -> [String] {
        switch entitlement {
        case .boolean(let isOn): ["boolean", String(isOn)]
        case .value(let text): ["value", text]
        case .metered(let metered): ["metered"] + fields(metered, scale: 0).map(\.text)
        }
    }

    package static func text(_ limit: Limit, scale: Int) -> String {
        limit.finite.map { DecimalQuantity.text(units: $0, scale: scale) } ?? "unlimited"
    }

    package static func text(_ threshold: Threshold, scale: Int) -> String {
        switch threshold {
        case .share: threshold.label
        case .absolute(let units): DecimalQuantity.text(units: units, scale: scale)
        }
    }

    package static func text(_ policy: OutagePolicy, scale: Int) -> String {
        switch policy {
        case .closed: "closed"
        case .open: "open"
        case .lastKnown(let seconds): "{last_known: \(seconds)s}"
        case .allowance(let units):
            "{allowance: \(DecimalQuantity.text(units: units, scale: scale))}"
        }
    }
}
