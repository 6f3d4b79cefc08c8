import MeteringModel
import MeteringPorts

/// Text that is compared by its bytes, as the ledger does.
struct ByteText: Hashable, Comparable, Sendable {
    let text: String

    init(_ text: String) { self.text = text }

    static func == (left: ByteText, right: ByteText) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    static func < (left: ByteText, right: ByteText) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
    }
}

/// Which rollups a question about usage is about, by their dimension values, and how it splits them.
struct DimensionFilter {
    private let groupBy: [String]
    private var accepted: [String: Set<ByteText>] = [:]

    /// - Throws: `.invalid` for a dimension that the meter has not, and a filter without a value.
    init(_ query: UsageQuery, _ meter: MeterDefinition) throws(QueryError) {
        groupBy = query.groupBy
        for name in query.groupBy { try Self.check(name, meter) }
        if Set(query.groupBy).count < query.groupBy.count {
            throw QueryError(code: .invalid, message: "group_by names a dimension twice")
        }
        for text in query.filters {
            guard let colon = text.firstIndex(of: ":") else {
                throw QueryError(
                    code: .invalid,
                    message: "filter must be dimension:value, such as model:m1, not \(text)")
            }
            let name = String(text[..<colon])
            try Self.check(name, meter)
            accepted[name, default: []].insert(ByteText(String(text[text.index(after: colon)...])))
        }
    }

    private static func check(_ name: String, _ meter: MeterDefinition) throws(QueryError) {
        if meter.groupBy.contains(where: { $0.name == name }) { return }
        throw QueryError(
            code: .invalid,
            message: "meter \(meter.key) has no dimension \(name); it has "
                + (meter.groupBy.isEmpty
                    ? "none" : meter.groupBy.map(\.name).joined(separator: ", ")))
    }

    /// The values to split by; nil for rollups that are not asked for. A dimension that an event did
    /// not have is empty.
    /// - Parameter dimensions: canonical JSON text.
    func group(_ dimensions: String) -> [ByteText]? {
        if groupBy.isEmpty, accepted.isEmpty { return [] }
        let values = DimensionText.parse(dimensions)
        for (name, accepted) in accepted {
            if !accepted.contains(ByteText(values[name] ?? "")) { return nil }
        }
        return groupBy.map { ByteText(values[$0] ?? "") }
    }
}
