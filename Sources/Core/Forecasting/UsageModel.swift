import MeteringModel

/// How usage is carried on: from past steps, a rate with its spread. Deterministic.
///
/// 1. Steps before the first usage are left out; silent steps after it count.
/// 2. Fewer than `stepsMin` steps: not enough data, and nothing is forecast.
/// 3. Fewer than `seasonalStepsMin`, or steps without a season: the mean of the last `windowSteps`.
/// 4. Otherwise each weekday goes on as its own mean over them.
///
/// Rates are per second, so a day of 23 or 25 hours is neither low nor high, and part of a day
/// counts as its part.
package struct UsageModel: Sendable, Hashable {
    package enum Method: String, Sendable, Hashable, CaseIterable {
        case notEnoughData = "not_enough_data"
        case runRate = "run_rate"
        case weekdaySeasonal = "weekday_seasonal"
    }

    package static let stepsMin = 3
    package static let seasonalStepsMin = 14
    /// The last four weeks: long enough for each weekday, short enough to follow growth.
    package static let windowSteps = 28

    private struct Rate: Hashable {
        /// Units per nominal step.
        var mean: Double
        var count: Int
    }

    package let method: Method
    /// Steps that it was made from.
    package let stepCount: Int
    /// Length of a usual step; rates and spread are per so many seconds.
    private let stepSeconds: Double
    private let overall: Rate
    private let groups: [Int: Rate]
    /// Of one step around its mean.
    private let variance: Double
    private let width: Double

    /// - Parameter history: complete steps, ascending, without gaps.
    package init(_ history: [UsageStep]) {
        let used = history.drop { $0.value == 0 }.suffix(Self.windowSteps)
        let stepSeconds = Robust.median(used.map(\.seconds)) ?? 0
        let days = used.filter { $0.seconds > 0 }
        self.stepSeconds = stepSeconds
        stepCount = days.count
        guard days.count >= Self.stepsMin, stepSeconds > 0 else {
            method = .notEnoughData
            overall = Rate(mean: 0, count: 0)
            groups = [:]
            variance = 0
            width = 0
            return
        }
        let values = days.map { (group: $0.group, value: $0.value / $0.seconds * stepSeconds) }
        overall = Self.mean(values.map(\.value))
        let isSeasonal =
            days.count >= Self.seasonalStepsMin && Set(values.map(\.group)).count > 1
        method = isSeasonal ? .weekdaySeasonal : .runRate
        groups =
            isSeasonal
            ? Dictionary(grouping: values, by: \.group).mapValues { Self.mean($0.map(\.value)) }
            : [:]
        var squares = 0.0
        for (group, value) in values {
            let distance = value - (groups[group] ?? overall).mean
            squares += distance * distance
        }
        let freedom = max(1, values.count - max(1, groups.count))
        variance = squares / Double(freedom)
        width = RangeWidth.standardErrors(freedom: freedom)
    }

    private static func mean(_ values: [Double]) -> Rate {
        Rate(mean: values.reduce(0, +) / Double(values.count), count: values.count)
    }

    /// Usage of all `steps` together; nil when there is not enough data.
    ///
    /// The range covers how steps differ from their mean, and how well the mean is known: the first
    /// adds up like independent errors, the second in proportion to the steps ahead.
    package func total(of steps: some Sequence<UsageStep>) -> Estimate? {
        var path = Path(self)
        for step in steps { path.advance(step) }
        return method == .notEnoughData ? nil : path.estimate
    }

    /// Usage carried on step by step.
    struct Path {
        private let model: UsageModel
        private var expected = 0.0
        /// Nominal steps ahead, in all and by group.
        private var length = 0.0
        private var lengths: [Int: Double] = [:]

        init(_ model: UsageModel) { self.model = model }

        mutating func advance(_ step: UsageStep) {
            guard model.stepSeconds > 0 else { return }
            let share = step.seconds / model.stepSeconds
            expected += (model.groups[step.group] ?? model.overall).mean * share
            length += share
            lengths[model.groups[step.group] == nil ? 0 : step.group, default: 0] += share
        }

        var estimate: Estimate {
            var spread = model.variance * length
            // In a fixed order, so that the same input gives the same last bit.
            for (group, ahead) in lengths.sorted(by: { $0.key < $1.key }) {
                let count = (model.groups[group] ?? model.overall).count
                spread += model.variance * ahead * ahead / Double(max(1, count))
            }
            let error = spread.squareRoot() * model.width
            return Estimate(
                low: max(0, expected - error), expected: max(0, expected),
                high: max(0, expected + error))
        }
    }
}
