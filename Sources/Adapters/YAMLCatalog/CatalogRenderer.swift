import Entitlements
package import MeteringModel

extension YAMLCatalog {
    /// The document that reads as `catalog`: one item a line, members left out where they have
    /// their usual value.
    package static func render(_ catalog: Catalog) -> String {
        CatalogRenderer(catalog).text
    }
}

struct CatalogRenderer {
    private let catalog: Catalog
    private let scales: CatalogText

    init(_ catalog: Catalog) {
        self.catalog = catalog
        scales = CatalogText(catalog)
    }

    var text: String {
        var lines: [String] = []
        section("meters", catalog.meters.map(meter), into: &lines)
        section("features", catalog.features.map(feature), into: &lines)
        if catalog.plans.isEmpty {
            lines.append("plans: []")
        } else {
            lines.append("plans:")
            for plan in catalog.plans { append(plan, to: &lines) }
        }
        section("customers", catalog.customers.map(customer), into: &lines)
        return lines.joined(separator: "\n") + "\n"
    }

    private func section(_ name: String, _ items: [String], into lines: inout [String]) {
        lines.append(items.isEmpty ? "\(name): []" : "\(name):")
        lines += items.map { "  - \($0)" }
    }

    private func meter(_ meter: MeterDefinition) -> String {
        var members = [
            "key: \(Self.quoted(meter.key.rawValue))",
            "event_type: \(Self.quoted(meter.eventType))",
            "aggregation: \(meter.aggregation.rawValue)",
        ]
        if let value = meter.value { members.append("value: \(Self.quoted(value.text))") }
        if !meter.unit.isEmpty { members.append("unit: \(Self.quoted(meter.unit))") }
        if meter.scale != 0 { members.append("scale: \(meter.scale)") }
        if !meter.groupBy.isEmpty {
            let dimensions = meter.groupBy.map {
                "\(Self.quoted($0.name)): \(Self.quoted($0.path.text))"
            }
            members.append("group_by: \(Self.braced(dimensions))")
        }
        if !meter.filters.isEmpty {
            let filters = meter.filters.map { filter in
                let accepted = filter.accepted.map(Self.quoted).joined(separator: ", ")
                return "\(Self.quoted(filter.path.text)): [\(accepted)]"
            }
            members.append("filters: \(Self.braced(filters))")
        }
        if meter.allowsNegative { members.append("allow_negative: true") }
        return Self.braced(members)
    }

    private func feature(_ feature: FeatureDefinition) -> String {
        var members = [
            "key: \(Self.quoted(feature.key.rawValue))", "type: \(feature.type.rawValue)",
        ]
        if let meter = feature.meter { members.append("meter: \(Self.quoted(meter.rawValue))") }
        if feature.counting != .events { members.append("counting: \(feature.counting.rawValue)") }
        return Self.braced(members)
    }

    private func append(_ plan: PlanDefinition, to lines: inout [String]) {
        lines.append("  - key: \(Self.quoted(plan.key.rawValue))")
        if plan.entitlements.isEmpty {
            lines.append("    entitlements: {}")
            return
        }
        lines.append("    entitlements:")
        for (feature, entitlement) in plan.entitlements.sorted(by: { $0.key < $1.key }) {
            let value =
                switch entitlement {
                case .boolean(let isOn): String(isOn)
                case .value(let text): Self.quoted(text)
                case .metered(let metered): self.metered(metered, scale: scales.scale(of: feature))
                }
            lines.append("      \(Self.quoted(feature.rawValue)): \(value)")
        }
    }

    private func metered(_ metered: MeteredEntitlement, scale: Int) -> String {
        var members = [
            "limit: \(CatalogText.text(metered.limit, scale: scale))",
            "period: \(metered.period.rawValue)",
        ]
        if metered.anchor != .calendar { members.append("anchor: \(metered.anchor.rawValue)") }
        if !metered.thresholds.isEmpty {
            let thresholds = metered.thresholds.map { CatalogText.text($0, scale: scale) }
            members.append("thresholds: [\(thresholds.joined(separator: ", "))]")
        }
        if metered.enforcement != .hard {
            members.append("enforcement: \(metered.enforcement.rawValue)")
        }
        if metered.onOutage != .closed {
            members.append("on_outage: \(CatalogText.text(metered.onOutage, scale: scale))")
        }
        if metered.durability != .logged {
            members.append("durability: \(metered.durability.rawValue)")
        }
        return Self.braced(members)
    }

    private func customer(_ customer: CustomerDefinition) -> String {
        var members = ["id: \(Self.quoted(customer.id.rawValue))"]
        if customer.timeZone != "UTC" {
            members.append("time_zone: \(Self.quoted(customer.timeZone))")
        }
        if !customer.subjects.isEmpty {
            let subjects = customer.subjects.map { Self.quoted($0.rawValue) }
            members.append("subjects: [\(subjects.joined(separator: ", "))]")
        }
        if let parent = customer.parent {
            members.append("parent: \(Self.quoted(parent.rawValue))")
        }
        if let subscription = customer.subscription {
            let start = Self.quoted(subscription.start.rfc3339())
            let plan = Self.quoted(subscription.plan.rawValue)
            members.append("subscription: {plan: \(plan), start: \(start)}")
        }
        return Self.braced(members)
    }

    private static func braced(_ members: [String]) -> String {
        "{" + members.joined(separator: ", ") + "}"
    }

    /// Plain where every YAML reader takes it for the same text, else in double quotes.
    private static func quoted(_ text: String) -> String {
        let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        let isWord = text.utf8.enumerated().allSatisfy { index, byte in
            switch byte {
            case 0x41...0x5A, 0x61...0x7A, 0x5F: true
            case 0x24, 0x2E, 0x2F, 0x2D, 0x30...0x39: index > 0 || byte == 0x24
            default: false
            }
        }
        if isWord, !text.isEmpty, !words.contains(text.lowercased()) { return text }
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22, 0x5C: quoted += "\\\(scalar)"
            // `*` and `&` too: two such texts could look like an alias and its anchor.
            case 0..<0x20, 0x26, 0x2A, 0x7F...0x9F, 0x2028, 0x2029, 0xFEFF:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
