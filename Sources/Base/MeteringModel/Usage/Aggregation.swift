/// How a meter turns values into one number.
public enum Aggregation: String, Sendable, Hashable, Codable, CaseIterable {
    case count, sum, max, min, latest, unique, avg

    /// Whether two states merge by adding their values, so that a cap can be counted down.
    public var isAdditive: Bool { self == .count || self == .sum }

    /// Whether an event can be taken out of a state by subtraction.
    public var isReversible: Bool { isAdditive || self == .avg }
}
