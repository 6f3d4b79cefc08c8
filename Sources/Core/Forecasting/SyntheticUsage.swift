package import MeteringModel

/// Made-up usage with a weekly pattern, growth and noise, for back-tests: the same for a seed.
package enum SyntheticUsage {
    /// Monday to Sunday, relative to the mean.
    private static let week: [Double] = [1.25, 1.3, 1.3, 1.2, 1.1, 0.45, 0.4]

    /// - Parameters:
    ///   - growth: of the level from the first day to the last, as a share of it.
    ///   - noise: standard deviation of a day around its expectation, as a share of it.
    package static func days(
        _ count: Int, from first: CivilDate, zone: TimeZoneRules, mean: Double, growth: Double = 0,
        noise: Double, seed: UInt64
    ) -> [UsageStep] {
        var random = SplitMix(state: seed)
        return (0..<count).map { index in
            let date = first.adding(days: index)
            let level = mean * (1 + growth * Double(index) / Double(max(1, count - 1)))
            let expected = level * week[date.isoWeekday - 1]
            let value = max(0, expected * (1 + noise * random.normal()))
            return UsageStep(
                period: Period(
                    start: zone.instant(date), end: zone.instant(date.adding(days: 1))),
                group: date.isoWeekday, value: value.rounded())
        }
    }
}

/// A small generator of its own, so that a seed means the same everywhere.
private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    /// Near enough to a standard normal: the sum of twelve uniform numbers.
    mutating func normal() -> Double {
        var sum = 0.0
        for _ in 0..<12 { sum += Double(next() >> 11) / 9_007_199_254_740_992 }
        return sum - 6
    }
}
