import MeteringModel
import Yams

/// Reads the parts of a catalog document. Goes on after a problem, so that one run reports them
/// all; the catalog is used only when there was none, and then has one item for each in the text.
struct CatalogReader {
    let zone: YAMLCatalog.ZoneSource
    var nodes = NodeReader()
    var catalog = Catalog()
    /// For the limits of plans, which are read in the unit of their feature's meter.
    var features: [FeatureKey: FeatureDefinition] = [:]
    var scales: [MeterKey: Int] = [:]
    var zones: [String: TimeZoneRules] = [:]

    init(zone: @escaping YAMLCatalog.ZoneSource) { self.zone = zone }

    mutating func read(_ root: Node) {
        let known = ["meters", "features", "plans", "customers"]
        guard let members = nodes.members(of: root, "a catalog", known: known) else { return }
        for node in list("meters", in: members) { readMeter(node) }
        for node in list("features", in: members) { readFeature(node) }
        for node in list("plans", in: members) { readPlan(node) }
        let customers = list("customers", in: members)
        catalog.customers.reserveCapacity(customers.count)
        for node in customers { readCustomer(node) }
    }

    private mutating func list(_ name: String, in members: NodeReader.Members) -> [Node] {
        members[name].map { nodes.items(of: $0, name) } ?? []
    }

    // MARK: meters

    private mutating func readMeter(_ node: Node) {
        let known = [
            "key", "event_type", "aggregation", "value", "unit", "scale", "group_by", "filters",
            "allow_negative",
        ]
        guard let members = nodes.members(of: node, "a meter", known: known) else { return }
        let key = requiredText("key", in: members, "a meter")
        let type = requiredText("event_type", in: members, "a meter")
        let aggregation = nodes.required("aggregation", in: members, "a meter").flatMap {
            nodes.choice($0, "aggregation", Aggregation.self)
        }
        var meter = MeterDefinition(
            key: MeterKey(key ?? ""), eventType: type ?? "", aggregation: aggregation ?? .count)
        if let value = members["value"] { meter.value = path(value, "value") }
        if let unit = members["unit"] { meter.unit = nodes.text(unit, "unit") ?? "" }
        if let scale = members["scale"] { meter.scale = nodes.integer(scale, "scale") ?? 0 }
        if let negative = members["allow_negative"] {
            meter.allowsNegative = nodes.bool(negative, "allow_negative") ?? false
        }
        if let groups = members["group_by"] { meter.groupBy = dimensions(groups) }
        if let filters = members["filters"] { meter.filters = self.filters(filters) }
        // Quantities are scaled here; a scale out of bounds is reported when all is checked.
        scales[meter.key] = min(max(meter.scale, 0), 18)
        catalog.meters.append(meter)
    }

    private mutating func dimensions(_ node: Node) -> [MeterDefinition.Dimension] {
        guard let members = nodes.members(of: node, "group_by", known: nil) else { return [] }
        var dimensions: [MeterDefinition.Dimension] = []
        for entry in members.entries {
            guard let path = path(entry.value, "dimension \(entry.name)") else { continue }
            dimensions.append(.init(name: entry.name, path: path))
        }
        return dimensions.sorted { $0.name < $1.name }
    }

    /// `{model: [a, b]}`, `{model: a}`, `{$.usage.model: a}`.
    private mutating func filters(_ node: Node) -> [MeterFilter] {
        guard let members = nodes.members(of: node, "filters", known: nil) else { return [] }
        var filters: [MeterFilter] = []
        for entry in members.entries {
            let text = entry.name.hasPrefix("$") ? entry.name : "$." + entry.name
            guard let path = ValuePath(text) else {
                nodes.report(entry.key, "\"\(entry.name)\" is not a path like $.a.b")
                continue
            }
            let values =
                if case .sequence(let items) = entry.value { Array(items) } else { [entry.value] }
            let accepted = values.compactMap { nodes.text($0, "an accepted value") }
            filters.append(MeterFilter(path: path, accepted: accepted))
        }
        return filters
    }

    private mutating func path(_ node: Node, _ what: String) -> ValuePath? {
        guard let text = nodes.text(node, what) else { return nil }
        if let path = ValuePath(text) { return path }
        let hint = ValuePath("$." + text) == nil ? "" : "; did you mean $.\(text)?"
        nodes.report(node, "\"\(text)\" is not a path like $.a.b\(hint)")
        return nil
    }

    // MARK: features

    private mutating func readFeature(_ node: Node) {
        let known = ["key", "type", "meter", "counting"]
        guard let members = nodes.members(of: node, "a feature", known: known) else { return }
        let key = requiredText("key", in: members, "a feature")
        let type = nodes.required("type", in: members, "a feature").flatMap {
            nodes.choice($0, "type", FeatureType.self)
        }
        var feature = FeatureDefinition(key: FeatureKey(key ?? ""), type: type ?? .boolean)
        if let meter = members["meter"] {
            feature.meter = nodes.text(meter, "meter").map { MeterKey($0) }
        }
        if let counting = members["counting"] {
            feature.counting = nodes.choice(counting, "counting", CountingMode.self) ?? .events
        }
        features[feature.key] = feature
        catalog.features.append(feature)
    }

    mutating func requiredText(
        _ name: String, in members: NodeReader.Members, _ what: String
    ) -> String? {
        guard let node = nodes.required(name, in: members, what) else { return nil }
        return nodes.text(node, name)
    }
}
