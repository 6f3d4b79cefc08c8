import MeteringModel

/// Writes values as YAML that every reader takes for the same.
enum YAMLText {
    /// The members of records in the order in which people read them; others follow by name.
    private static let order = [
        "id", "key", "name", "event_type", "aggregation", "type", "value", "up_to", "unit",
        "scale", "group_by", "filters", "allow_negative", "max_groups", "meter", "counting",
        "enabled", "limit", "period",
        "anchor", "thresholds", "enforcement", "grace", "overage_max", "on_outage", "durability",
        "seats", "mode", "heartbeat", "price", "flat", "graduated", "volume", "package", "size",
        "amount", "included", "minimum", "maximum", "timing", "prorate", "rounding", "domains",
        "regions", "time_zone", "parent", "inherits",
        "environment", "subjects", "external_ids", "owner", "metadata", "plan", "version", "start",
        "end", "trial_end", "trial_converts", "renewal", "billing_frequency", "add_ons",
        "subscription", "subscriptions",
    ]
    private static let ranks = Dictionary(
        uniqueKeysWithValues: order.enumerated().map { ($1, $0) })

    /// A value on one line.
    static func flow(_ value: JSONValue) -> String {
        switch value {
        case .null: return "null"
        case .bool(let flag): return String(flag)
        case .number(let digits): return digits
        case .string(let text): return quoted(text)
        case .array(let elements):
            return "[" + elements.map(flow).joined(separator: ", ") + "]"
        case .object(let members):
            let sorted = members.sorted {
                (ranks[$0.key] ?? order.count, $0.key) < (ranks[$1.key] ?? order.count, $1.key)
            }
            return "{" + sorted.map { "\(quoted($0)): \(flow($1))" }.joined(separator: ", ") + "}"
        }
    }

    /// Plain where every YAML reader takes it for the same text, else in double quotes.
    static func quoted(_ text: String) -> String {
        let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        let isWord = text.utf8.enumerated().allSatisfy { index, byte in
            switch byte {
            case 0x41...0x5A, 0x61...0x7A, 0x5F: true
            case 0x24, 0x2E, 0x2F, 0x2D, 0x30...0x39: index > 0 || byte == 0x24
            default: false
            }
        }
        if isWord, !text.isEmpty, !words.contains(text.lowercased()) { return text }
        if isMeasure(text) { return text }
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar.value {
            case 0x22, 0x5C: quoted += "\\\(scalar)"
            // `*` and `&` too: two such texts could look like an alias and its anchor.
            case 0..<0x20, 0x26, 0x2A, 0x7F...0x9F, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    /// `80%`, `99.5%`, `30s`
    private static func isMeasure(_ text: String) -> Bool {
        guard let unit = text.utf8.last, unit == UInt8(ascii: "%") || unit == UInt8(ascii: "s")
        else { return false }
        let parts = text.dropLast().split(separator: ".", omittingEmptySubsequences: false)
        return parts.count <= 2
            && parts.allSatisfy { part in
                !part.isEmpty && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
            }
    }
}
