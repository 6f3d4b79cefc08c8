/// A calculator of its own, for comparison: amounts are whole numbers of 10^-9, nothing is shared
/// with what it checks.
enum Reckoning {
    enum Model: CaseIterable, Sendable { case flat, unit, graduated, volume, package }

    static let nanos: Int128 = 1_000_000_000

    /// What the first `used` units of a period cost, in nanos. `factor` makes one version dearer
    /// than another. Flat prices go by time and are reckoned in `cents(flat…)`.
    static func cost(_ model: Model, _ used: Int64, factor: Int128) -> Int128 {
        // 100 units are included.
        let units = Int128(max(0, used - 100))
        switch model {
        case .flat: return 0
        case .unit: return units * 2_345_000 * factor
        case .graduated:
            // To 1,000: 0.01 each; then 5.00 once and 0.0033 each.
            let first = min(units, 1_000)
            let rest = units - first
            return (first * 10_000_000 + rest * 3_300_000 + (rest > 0 ? 5 * nanos : 0)) * factor
        case .volume:
            // All at the price of the tier that the total lies in.
            return units * (units <= 1_000 ? 10_000_000 : 3_300_000) * factor
        case .package:
            // Each begun 250: 1.25.
            return (units + 249) / 250 * 1_250_000_000 * factor
        }
    }

    /// Nearest cent, halves away from zero, of `numerator / denominator` nanos.
    static func cents(_ numerator: Int128, _ denominator: Int128 = 1) -> Int64 {
        let unit = denominator * 10_000_000
        let magnitude = numerator < 0 ? -numerator : numerator
        let rounded = (2 * magnitude + unit) / (2 * unit)
        return Int64(numerator < 0 ? -rounded : rounded)
    }
}
