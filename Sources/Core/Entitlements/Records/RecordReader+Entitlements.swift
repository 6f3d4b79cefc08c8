import MeteringModel

extension RecordReader {
    /// Of plans and overrides; a price is the plan's alone.
    static let meteredMembers = [
        "limit", "period", "anchor", "thresholds", "enforcement", "on_outage", "durability",
        "grace", "overage_max",
    ]

    /// What a plan gives, by feature. A feature that the catalog does not have is read by its
    /// shape; it is reported when the catalog is compiled.
    mutating func entitlements(
        in members: inout Members
    ) -> ([FeatureKey: EntitlementDefinition], [FeatureKey: Binding]) {
        var entitlements: [FeatureKey: EntitlementDefinition] = [:]
        var bindings: [FeatureKey: Binding] = [:]
        entries("entitlements", in: &members) { reader, key, value in
            let feature = FeatureKey(key)
            let type = reader.context.features?[feature]?.type ?? Self.shape(of: value)
            guard let read = reader.entitlement(value, of: feature, type) else { return }
            entitlements[feature] = read.0
            bindings[feature] = read.1
        }
        return (entitlements, bindings)
    }

    /// What a value is an entitlement to, as far as its form tells.
    static func shape(of value: JSONValue) -> FeatureType {
        switch value {
        case .bool: .boolean
        case .string, .null: .static
        case .number: .seat
        case .array: .metered
        case .object(let members):
            if has("enabled", members) {
                .boolean
            } else if has("value", members) {
                .static
            } else if has("seats", members) {
                .seat
            } else {
                .metered
            }
        }
    }

    private static func has(_ name: String, _ members: [String: JSONValue]) -> Bool {
        members[name].map { !$0.isNull } ?? false
    }

    static func what(_ key: FeatureKey, _ type: FeatureType) -> String {
        "\"\(key)\", a \(type.rawValue) feature"
    }

    private mutating func entitlement(
        _ value: JSONValue, of key: FeatureKey, _ type: FeatureType
    ) -> (EntitlementDefinition, Binding?)? {
        let what = Self.what(key, type)
        if case .object = value {
            guard var members = open(value, what) else { return nil }
            let binding = binding(in: &members)
            let entitlement = entitlement(in: &members, of: key, type)
            let own =
                switch type {
                case .boolean: ["enabled"]
                case .static: ["value"]
                case .metered: Self.meteredMembers + ["price"]
                case .seat: ["seats", "mode", "heartbeat", "price"]
                }
            close(members, known: own + ["domains", "regions"])
            return entitlement.map { ($0, binding) }
        }
        switch type {
        case .boolean: return flag(value, what, at: nil).map { (.boolean($0), nil) }
        case .static: return text(value, what, at: nil).map { (.value($0), nil) }
        case .metered:
            _ = open(value, what)
            return nil
        case .seat:
            return limit(value, "seats", scale: 0, at: nil).map { (.seats(.init(seats: $0)), nil) }
        }
    }

    private mutating func entitlement(
        in members: inout Members, of key: FeatureKey, _ type: FeatureType
    ) -> EntitlementDefinition? {
        switch type {
        case .boolean:
            return required("enabled", in: &members)
                .flatMap { flag($0, "enabled", at: "enabled") }.map { .boolean($0) }
        case .static: return requiredText("value", in: &members).map { .value($0) }
        case .metered:
            return .metered(metered(in: &members, scale: context.scale(of: key)))
        case .seat:
            let seats = required("seats", in: &members).flatMap {
                limit($0, "seats", scale: 0, at: "seats")
            }
            var entitlement = SeatEntitlement(seats: seats ?? .finite(0))
            entitlement.mode = choice("mode", in: &members, default: .named)
            if let heartbeat = members.take("heartbeat") {
                entitlement.heartbeatSeconds =
                    seconds(heartbeat, "heartbeat", at: "heartbeat", takesBareNumber: true) ?? 300
                if entitlement.heartbeatSeconds == 0 {
                    report("heartbeat", .invalidValue, "heartbeat must be at least 1s")
                }
            }
            entitlement.price = recurringPrice("price", in: &members, takesIncluded: true)
            return .seats(entitlement)
        }
    }

    private mutating func metered(
        in members: inout Members, scale: Int
    ) -> MeteredEntitlement {
        let limit = required("limit", in: &members).flatMap {
            self.limit($0, "limit", scale: scale, at: "limit")
        }
        let period = required("period", in: &members).flatMap {
            choice($0, PeriodUnit.self, "period", at: "period")
        }
        var metered = MeteredEntitlement(limit: limit ?? .finite(0), period: period ?? .month)
        metered.anchor = choice("anchor", in: &members, default: .calendar)
        metered.thresholds = list("thresholds", in: &members) { $0.threshold($1, scale: scale) }
        metered.enforcement = choice("enforcement", in: &members, default: .hard)
        if let policy = members.take("on_outage") {
            metered.onOutage = outagePolicy(policy, scale: scale, at: "on_outage") ?? .closed
        }
        metered.durability = choice("durability", in: &members, default: .logged)
        metered.grace = grace(in: &members, scale: scale)
        metered.overageMax = amount("overage_max", in: &members, scale: scale)
        metered.price = usagePrice(in: &members, scale: scale)
        return metered
    }

    mutating func grace(in members: inout Members, scale: Int) -> Grace? {
        guard let value = members.take("grace"), var grace = open(value, "grace", at: "grace")
        else { return nil }
        return within("grace") { reader in
            let units = reader.amount("units", in: &grace, scale: scale)
            let days = reader.integer("days", in: &grace, 0...36_600, default: -1)
            reader.close(grace, known: ["units", "days"])
            if units == nil, days < 0 {
                // Nothing at all would be grace without bounds.
                reader.report(nil, .missing, "grace needs \"units\" or \"days\"")
                return nil
            }
            return Grace(units: units, days: days < 0 ? nil : days)
        }
    }

    mutating func binding(in members: inout Members) -> Binding? {
        let binding = Binding(
            domains: texts("domains", in: &members), regions: texts("regions", in: &members))
        return binding.isEmpty ? nil : binding
    }

    // MARK: add-ons

    mutating func addOn(_ document: JSONValue) -> AddOnDefinition? {
        guard var members = open(document, "an add-on") else { return nil }
        let key = requiredText("key", in: &members)
        let name = text("name", in: &members)
        let product = text("product", in: &members).map { ProductKey($0) }
        let currency = currency(in: &members)
        let fee = recurringPrice("fee", in: &members)
        var entitlements: [FeatureKey: EntitlementDefinition] = [:]
        entries("entitlements", in: &members) { reader, key, value in
            entitlements[FeatureKey(key)] = reader.addition(value, of: FeatureKey(key))
        }
        close(members, known: ["key", "name", "product", "currency", "fee", "entitlements"])
        return AddOnDefinition(
            key: AddOnKey(key ?? ""), name: name, product: product ?? .default,
            entitlements: entitlements, currency: currency, fee: fee)
    }

    /// What an add-on adds to the plan's: `true`, `"eu"`, `{limit: 100}`, `{seats: 5}`.
    private mutating func addition(
        _ value: JSONValue, of key: FeatureKey
    ) -> EntitlementDefinition? {
        let type = context.features?[key]?.type ?? Self.shape(of: value)
        let what = Self.what(key, type)
        switch type {
        case .boolean: return flag(value, what, at: nil).map { .boolean($0) }
        case .static: return text(value, what, at: nil).map { .value($0) }
        case .metered:
            guard var members = open(value, what) else { return nil }
            let limit = required("limit", in: &members).flatMap {
                self.limit($0, "limit", scale: context.scale(of: key), at: "limit")
            }
            close(members, known: ["limit"])
            return limit.map { .metered(.init(limit: $0, period: .month)) }
        case .seat:
            guard case .object = value else {
                return limit(value, "seats", scale: 0, at: nil).map { .seats(.init(seats: $0)) }
            }
            guard var members = open(value, what) else { return nil }
            let seats = required("seats", in: &members).flatMap {
                limit($0, "seats", scale: 0, at: "seats")
            }
            close(members, known: ["seats"])
            return seats.map { .seats(.init(seats: $0)) }
        }
    }
}
