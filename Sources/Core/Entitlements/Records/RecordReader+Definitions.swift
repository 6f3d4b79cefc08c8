import MeteringModel

extension RecordReader {
    mutating func product(_ document: JSONValue) -> ProductDefinition? {
        guard var members = open(document, "a product") else { return nil }
        let key = requiredText("key", in: &members)
        let name = text("name", in: &members)
        let plan = text("default_plan", in: &members).map { PlanKey($0) }
        close(members, known: ["key", "name", "default_plan"])
        return ProductDefinition(key: ProductKey(key ?? ""), name: name, defaultPlan: plan)
    }

    // MARK: meters

    mutating func meter(_ document: JSONValue) -> MeterDefinition? {
        guard var members = open(document, "a meter") else { return nil }
        let key = requiredText("key", in: &members)
        let type = requiredText("event_type", in: &members)
        let aggregation = required("aggregation", in: &members).flatMap {
            choice($0, Aggregation.self, "aggregation", at: "aggregation")
        }
        var meter = MeterDefinition(
            key: MeterKey(key ?? ""), eventType: type ?? "", aggregation: aggregation ?? .count)
        if let value = members.take("value") { meter.value = path(value, "value", at: "value") }
        meter.unit = text("unit", in: &members) ?? ""
        // Whether the scale is in bounds is checked when the catalog is compiled.
        meter.scale = integer("scale", in: &members, -1_000...1_000, default: 0)
        entries("group_by", in: &members) { reader, name, value in
            guard let path = reader.path(value, "dimension \(name)", at: nil) else { return }
            meter.groupBy.append(.init(name: name, path: path))
        }
        meter.groupBy.sort { $0.name < $1.name }
        meter.filters = filters(in: &members)
        meter.allowsNegative = flag("allow_negative", in: &members, default: false)
        // Bounds are checked when the catalog is compiled, as for the scale.
        meter.groupsMax = integer(
            "max_groups", in: &members, -1_000...1_000_000_000,
            default: MeterDefinition.groupsMaxUsual)
        close(
            members,
            known: [
                "key", "event_type", "aggregation", "value", "unit", "scale", "group_by", "filters",
                "allow_negative", "max_groups",
            ])
        return meter
    }

    /// `{model: [a, b]}`, `{model: a}`, `{$.usage.model: a}`; sorted by path.
    private mutating func filters(in members: inout Members) -> [MeterFilter] {
        var filters: [MeterFilter] = []
        entries("filters", in: &members) { reader, name, value in
            guard let path = ValuePath(name.hasPrefix("$") ? name : "$." + name) else {
                reader.report(nil, .invalidName, "\"\(name)\" is not a path like $.a.b")
                return
            }
            if filters.contains(where: { $0.path == path }) {
                reader.report(nil, .duplicate, "there are two filters on \(path.text)")
            }
            var accepted: [String] = []
            for (index, element) in (value.elements ?? [value]).enumerated() {
                let place = value.elements == nil ? nil : String(index)
                if let text = reader.text(element, "an accepted value", at: place) {
                    accepted.append(text)
                }
            }
            filters.append(MeterFilter(path: path, accepted: accepted))
        }
        return filters.sorted { $0.path.text < $1.path.text }
    }

    private mutating func path(_ value: JSONValue, _ what: String, at name: String?) -> ValuePath? {
        guard let text = text(value, what, at: name) else { return nil }
        if let path = ValuePath(text) { return path }
        let hint = ValuePath("$." + text) == nil ? "" : "; did you mean $.\(text)?"
        report(name, .invalidValue, "\"\(text)\" is not a path like $.a.b\(hint)")
        return nil
    }

    // MARK: features and plans

    mutating func feature(_ document: JSONValue) -> FeatureDefinition? {
        guard var members = open(document, "a feature") else { return nil }
        let key = requiredText("key", in: &members)
        let type = required("type", in: &members).flatMap {
            choice($0, FeatureType.self, "type", at: "type")
        }
        var feature = FeatureDefinition(key: FeatureKey(key ?? ""), type: type ?? .boolean)
        feature.name = text("name", in: &members)
        feature.meter = text("meter", in: &members).map { MeterKey($0) }
        feature.counting = choice("counting", in: &members, default: .events)
        close(members, known: ["key", "name", "type", "meter", "counting"])
        return feature
    }

    /// What a user writes for a plan: the content of one version.
    mutating func plan(_ document: JSONValue) -> PlanDefinition? {
        guard var members = open(document, "a plan") else { return nil }
        let key = requiredText("key", in: &members)
        let plan = planContent(in: &members, PlanKey(key ?? ""), version: 0)
        if context.format == .json {
            // Shown with every plan; both follow from its content.
            _ = members.take("version")
            _ = members.take("versions")
        }
        let shown = context.format == .json ? ["version", "versions"] : []
        close(members, known: ["key"] + Self.planMembers + shown)
        return plan
    }

    /// Of the content of one version.
    private static let planMembers = ["name", "product", "currency", "fee", "entitlements"]

    private mutating func planContent(
        in members: inout Members, _ key: PlanKey, version: Int
    ) -> PlanDefinition {
        let name = text("name", in: &members)
        let product = text("product", in: &members).map { ProductKey($0) }
        let currency = currency(in: &members)
        let fee = recurringPrice("fee", in: &members)
        let (entitlements, bindings) = entitlements(in: &members)
        return PlanDefinition(
            key: key, version: version, name: name, product: product ?? .default,
            entitlements: entitlements, bindings: bindings, currency: currency, fee: fee)
    }

    /// A plan as it is stored: all its versions.
    mutating func storedPlan(_ document: JSONValue) -> StoredPlan? {
        guard var members = open(document, "a plan") else { return nil }
        let key = PlanKey(requiredText("key", in: &members) ?? "")
        // These repeat what the latest version says.
        _ = members.take("name")
        _ = members.take("product")
        let latest = integer("latest", in: &members, 1...1_000_000, default: 0)
        var versions: [PlanDefinition] = []
        entries("versions", in: &members) { reader, name, value in
            guard let version = Int(name), version > 0 else {
                reader.report(nil, .invalidName, "\"\(name)\" is not the number of a version")
                return
            }
            guard var content = reader.open(value, "a plan's version") else { return }
            versions.append(reader.planContent(in: &content, key, version: version))
            reader.close(content, known: Self.planMembers)
        }
        close(members, known: ["key", "name", "product", "latest", "versions"])
        versions.sort { $0.version < $1.version }
        guard let last = versions.last, last.version == latest else {
            report("latest", .invalidValue, "latest is not the last version")
            return nil
        }
        return StoredPlan(key: key, versions: versions)
    }

    // MARK: stripe

    mutating func stripe(_ document: JSONValue) -> StripeMapping? {
        guard var members = open(document, "stripe") else { return nil }
        if context.format == .json { _ = members.take("id") }
        var mapping = StripeMapping()
        entries("prices", in: &members) { reader, price, value in
            mapping.prices[price] = reader.priceTarget(value)
        }
        entries("meters", in: &members) { reader, meter, value in
            mapping.meters[MeterKey(meter)] = reader.stripeMeter(value)
        }
        mapping.onPaymentFailed = choice("on_payment_failed", in: &members, default: .suspend)
        mapping.failedAttempts = integer("failed_attempts", in: &members, 1...1_000, default: 1)
        let shown = context.format == .json ? ["id"] : []
        close(
            members, known: ["prices", "meters", "on_payment_failed", "failed_attempts"] + shown)
        return mapping
    }

    private mutating func priceTarget(_ value: JSONValue) -> StripeMapping.Target? {
        guard var members = open(value, "a price") else { return nil }
        let plan = text("plan", in: &members)
        let addOn = text("add_on", in: &members)
        let seats = text("seats", in: &members)
        close(members, known: ["plan", "add_on", "seats"])
        let targets: [StripeMapping.Target?] = [
            plan.map { .plan(PlanKey($0)) }, addOn.map { .addOn(AddOnKey($0)) },
            seats.map { .seats(FeatureKey($0)) },
        ]
        let named = targets.compactMap { $0 }
        if named.count == 1 { return named[0] }
        report(
            nil, .invalidValue, "a price names one of {plan: …}, {add_on: …} and {seats: …}")
        return nil
    }
}
