/// Holds forecasts against what came: at each cut of a series, what the model made of the steps
/// before says of those after.
package struct BackTest: Sendable, Hashable {
    /// Cuts at which there was a forecast.
    package var cutCount = 0
    /// Cuts with not enough data.
    package var skippedCount = 0
    /// Mean of |forecast − actual| / actual, over cuts with any usage; nil without one.
    package var meanAbsolutePercentage: Double?
    /// Mean of 2 |forecast − actual| / (forecast + actual); nil without a forecast.
    package var symmetricPercentage: Double?
    /// Share of cuts at which the range held the truth; about 0.8 when it is honest.
    package var coverage: Double?

    package init() {}

    /// - Parameters:
    ///   - series: complete steps, ascending, without gaps.
    ///   - horizon: steps that are forecast together at each cut.
    ///   - method: only cuts at which the model used it; nil: all.
    package static func run(
        _ series: [UsageStep], horizon: Int, method: UsageModel.Method? = nil
    ) -> BackTest {
        var result = BackTest()
        var (percentages, symmetric): ([Double], [Double]) = ([], [])
        var covered = 0
        guard horizon > 0, series.count > horizon else { return result }
        for cut in 1...(series.count - horizon) {
            let model = UsageModel(Array(series[..<cut]))
            let ahead = series[cut..<(cut + horizon)]
            guard let forecast = model.total(of: ahead) else {
                result.skippedCount += 1
                continue
            }
            if let method, model.method != method { continue }
            result.cutCount += 1
            let actual = ahead.reduce(0) { $0 + $1.value }
            let error = abs(forecast.expected - actual)
            if actual > 0 { percentages.append(error / actual) }
            let sum = forecast.expected + actual
            symmetric.append(sum > 0 ? 2 * error / sum : 0)
            if forecast.low <= actual, actual <= forecast.high { covered += 1 }
        }
        result.meanAbsolutePercentage = mean(percentages)
        result.symmetricPercentage = mean(symmetric)
        if result.cutCount > 0 { result.coverage = Double(covered) / Double(result.cutCount) }
        return result
    }

    private static func mean(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }
}
