/// An expected number of units with a range that holds the truth in about four of five cases.
package struct Estimate: Sendable, Hashable {
    package var low: Double
    package var expected: Double
    package var high: Double

    package init(low: Double, expected: Double, high: Double) {
        self.low = low
        self.expected = expected
        self.high = high
    }

    package static let zero = Estimate(low: 0, expected: 0, high: 0)

    /// For one that is shown as units: rounded to the nearest, kept within Int64.
    package static func units(_ value: Double) -> Int64 {
        if !(value > 0) { return 0 }
        return Int64(exactly: value.rounded()) ?? .max
    }
}

/// Statistics that a few wild values do not move.
package enum Robust {
    /// Nil for no values.
    package static func median(_ values: [Double]) -> Double? {
        if values.isEmpty { return nil }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }

    /// The median distance from the median.
    package static func medianDeviation(_ values: [Double]) -> Double? {
        guard let center = median(values) else { return nil }
        return median(values.map { abs($0 - center) })
    }
}

/// How many standard errors hold the truth in 80 % of cases, by degrees of freedom: Student's t at
/// 0.9. Few observations make wide ranges.
enum RangeWidth {
    private static let byFreedom: [Double] = [
        3.078, 1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397, 1.383, 1.372, 1.363, 1.356, 1.350,
        1.345, 1.341, 1.337, 1.333, 1.330, 1.328, 1.325, 1.323, 1.321, 1.319, 1.318, 1.316,
    ]

    static func standardErrors(freedom: Int) -> Double {
        let index = max(1, freedom) - 1
        return index < byFreedom.count ? byFreedom[index] : 1.282
    }
}
