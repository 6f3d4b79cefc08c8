package import MeteringModel

/// The catalog's values as people write them, for comparing and showing.
package struct CatalogText {
    struct Field {
        /// Unique within its item.
        var name: String
        /// Empty where the name says it all.
        var text: String

        init(_ name: String, _ text: String) {
            self.name = name
            self.text = text
        }

        init?(_ name: String, _ text: String?) {
            guard let text else { return nil }
            self.init(name, text)
        }

        var label: String { text.isEmpty ? name : "\(name) \(text)" }
    }

    /// Decimal places of each metered feature.
    private let scales: [FeatureKey: Int]
    private let products: [PlanKey: ProductKey]

    package init(_ catalog: Catalog) {
        scales = CodecContext.scales(catalog.meters, catalog.features)
        products = Dictionary(catalog.plans.map { ($0.key, $0.product) }) { first, _ in first }
    }

    package func scale(of feature: FeatureKey) -> Int { scales[feature] ?? 0 }

    func product(of plan: PlanKey) -> ProductKey { products[plan] ?? .default }

    // MARK: definitions

    func fields(_ product: ProductDefinition) -> [Field] {
        [Field("name", product.name), Field("default_plan", product.defaultPlan?.rawValue)]
            .compactMap { $0 }
    }

    func fields(_ meter: MeterDefinition) -> [Field] {
        var fields = [
            Field("event_type", meter.eventType), Field("aggregation", meter.aggregation.rawValue),
        ]
        if let value = meter.value { fields.append(Field("value", value.text)) }
        if !meter.unit.isEmpty { fields.append(Field("unit", meter.unit)) }
        if meter.scale != 0 { fields.append(Field("scale", String(meter.scale))) }
        for dimension in meter.groupBy {
            fields.append(Field("group_by \(dimension.name)", dimension.path.text))
        }
        for filter in meter.filters {
            fields.append(Field("filter \(filter.path.text)", Self.list(filter.accepted)))
        }
        if meter.allowsNegative { fields.append(Field("allow_negative", "true")) }
        if meter.groupsMax != MeterDefinition.groupsMaxUsual {
            fields.append(Field("max_groups", String(meter.groupsMax)))
        }
        return fields
    }

    func fields(_ feature: FeatureDefinition) -> [Field] {
        var fields = [Field("type", feature.type.rawValue)]
        if let name = feature.name { fields.append(Field("name", name)) }
        if let meter = feature.meter {
            fields.append(Field("meter", meter.rawValue))
            fields.append(Field("counting", feature.counting.rawValue))
        }
        return fields
    }

    func fields(_ plan: PlanDefinition) -> [Field] {
        sold(plan.name, plan.product) + Self.fields(plan.currency, plan.fee)
            + plan.entitlements.sorted { $0.key < $1.key }.flatMap { feature, entitlement in
                let binding = plan.bindings[feature] ?? Binding()
                return fields(entitlement, of: feature) + Self.fields(binding, of: feature)
            }
    }

    func fields(_ addOn: AddOnDefinition) -> [Field] {
        sold(addOn.name, addOn.product) + Self.fields(addOn.currency, addOn.fee)
            + addOn.entitlements.sorted { $0.key < $1.key }.map { feature, entitlement in
                switch entitlement {
                case .boolean(let isOn): Field(feature.rawValue, String(isOn))
                case .value(let text): Field(feature.rawValue, text)
                case .metered(let added):
                    Field(
                        "\(feature) limit", Self.text(added.limit, scale: scale(of: feature)))
                case .seats(let added): Field("\(feature) seats", Self.text(added.seats, scale: 0))
                }
            }
    }

    func fields(_ stripe: StripeMapping) -> [Field] {
        stripe.prices.sorted { $0.key < $1.key }.map { price, target in
            switch target {
            case .plan(let key): Field("price \(price)", "plan \(key)")
            case .addOn(let key): Field("price \(price)", "add_on \(key)")
            case .seats(let feature): Field("price \(price)", "seats \(feature)")
            }
        }
            + stripe.meters.sorted { $0.key < $1.key }.map { key, target in
                Field("meter \(key)", "\(target.eventName) per \(target.window.rawValue)")
            } + [
                Field("on_payment_failed", stripe.onPaymentFailed.rawValue),
                Field("failed_attempts", String(stripe.failedAttempts)),
            ]
    }

    private func sold(_ name: String?, _ product: ProductKey) -> [Field] {
        [
            Field("name", name),
            Field("product", product == .default ? nil : product.rawValue),
        ].compactMap { $0 }
    }

    // MARK: entitlements

    private func fields(
        _ entitlement: EntitlementDefinition, of feature: FeatureKey
    ) -> [Field] {
        switch entitlement {
        case .boolean(let isOn): [Field(feature.rawValue, String(isOn))]
        case .value(let text): [Field(feature.rawValue, text)]
        case .metered(let metered):
            Self.fields(metered, scale: scale(of: feature)).map {
                Field("\(feature) \($0.name)", $0.text)
            }
        case .seats(let seats):
            Self.fields(seats).map { Field("\(feature) \($0.name)", $0.text) }
        }
    }

    private static func fields(_ metered: MeteredEntitlement, scale: Int) -> [Field] {
        let thresholds = metered.thresholds.map { text($0, scale: scale) }
        var fields = [
            Field("limit", text(metered.limit, scale: scale)),
            Field("period", metered.period.rawValue), Field("anchor", metered.anchor.rawValue),
            Field("enforcement", metered.enforcement.rawValue),
            Field("thresholds", list(thresholds)),
            Field("on_outage", text(metered.onOutage, scale: scale)),
            Field("durability", metered.durability.rawValue),
        ]
        if let grace = metered.grace {
            let units = grace.units.map {
                "units: \(DecimalQuantity.text(units: $0, scale: scale))"
            }
            let parts = [units, grace.days.map { "days: \($0)" }].compactMap { $0 }
            fields.append(Field("grace", "{\(parts.joined(separator: ", "))}"))
        }
        if let most = metered.overageMax {
            fields.append(Field("overage_max", DecimalQuantity.text(units: most, scale: scale)))
        }
        if let price = metered.price {
            fields.append(Field("price", text(price, scale: scale)))
        }
        return fields
    }

    private static func fields(_ seats: SeatEntitlement) -> [Field] {
        var fields = [
            Field("seats", text(seats.seats, scale: 0)), Field("mode", seats.mode.rawValue),
        ]
        if seats.mode == .concurrent {
            fields.append(Field("heartbeat", "\(seats.heartbeatSeconds)s"))
        }
        if let price = seats.price { fields.append(Field("price", text(price))) }
        return fields
    }

    private static func fields(_ binding: Binding, of feature: FeatureKey) -> [Field] {
        [
            Field("\(feature) domains", binding.domains.isEmpty ? nil : list(binding.domains)),
            Field("\(feature) regions", binding.regions.isEmpty ? nil : list(binding.regions)),
        ].compactMap { $0 }
    }

    // MARK: digests

    /// The parts of a plan's digest; changing their form makes new versions of all plans. Members
    /// that came later take part only where they have other than their usual value.
    static func digestParts(of plan: PlanDefinition, _ feature: FeatureKey) -> [String] {
        var parts: [String] = []
        switch plan.entitlements[feature] {
        case .none: break
        case .boolean(let isOn): parts = ["boolean", String(isOn)]
        case .value(let text): parts = ["value", text]
        case .metered(let metered):
            let texts = fields(metered, scale: 0)
            parts = ["metered"] + texts.prefix(7).map(\.text) + texts.dropFirst(7).map(\.label)
        case .seats(let seats):
            parts = [
                "seats", text(seats.seats, scale: 0), seats.mode.rawValue,
                String(seats.heartbeatSeconds),
            ]
            if let price = seats.price { parts.append("price \(text(price))") }
        }
        if let binding = plan.bindings[feature], !binding.isEmpty {
            parts += ["binding", String(binding.domains.count)] + binding.domains + binding.regions
        }
        return parts
    }

    // MARK: values

    static func list(_ texts: [String]) -> String { "[\(texts.joined(separator: ", "))]" }

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
