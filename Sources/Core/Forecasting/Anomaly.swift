/// How far a value lies from its own history, in robust standard deviations.
///
/// Median and median deviation stand in for mean and deviation, so that one earlier outlier does
/// not hide the next. A steady history has a deviation near nothing; `spreadMin` of its median keeps
/// small changes of it from looking large.
package struct Anomaly: Sendable, Hashable {
    package enum Direction: String, Sendable, Hashable { case above, below }

    package var direction: Direction
    /// Robust standard deviations from the median, above 0.
    package var score: Double
    package var median: Double
    package var value: Double
    /// Values of the past that it was held against.
    package var historyCount: Int

    package static let historyMin = 7
    /// From so many deviations on a value is anomalous.
    package static let scoreMin = 5.0
    /// The median deviation counts as at least this share of the median.
    package static let spreadMin = 0.1
    /// How far a value must lie from the median, as a share of it.
    package static let changeMin = 0.5
    /// And in units: two events instead of none are no news.
    package static let sizeMin = 20.0
    private static let deviationsPerMedianDeviation = 1.4826

    /// - Parameters:
    ///   - value: today's usage so far.
    ///   - history: usage of the same part of earlier days.
    /// - Returns: nil when there is too little history, or nothing unusual.
    package static func find(_ value: Double, history: [Double]) -> Anomaly? {
        guard history.count >= historyMin, let median = Robust.median(history),
            let spread = Robust.medianDeviation(history)
        else { return nil }
        let distance = abs(value - median)
        guard distance >= sizeMin, distance >= median * changeMin else { return nil }
        let unit = max(spread * deviationsPerMedianDeviation, median * spreadMin, 1)
        let score = distance / unit
        if score < scoreMin { return nil }
        return Anomaly(
            direction: value > median ? .above : .below, score: score, median: median,
            value: value, historyCount: history.count)
    }
}
