package import MeteringModel

/// When a limit is reached if usage goes on as it did, with a range.
package struct Exhaustion: Sendable, Hashable {
    package var method: UsageModel.Method
    /// Usage of the whole period: what is used already and what is to come.
    package var atPeriodEnd: Estimate
    /// Nil: not before the period's end.
    package var expected: Timestamp?
    /// If usage runs high: the range's beginning.
    package var earliest: Timestamp?
    /// If usage runs low: the range's end; nil: it may not be reached in this period at all.
    package var latest: Timestamp?

    /// Days that are looked ahead; a longer period's end is not forecast.
    package static let daysMax = 400

    /// - Parameters:
    ///   - used: of the period so far, smallest units.
    ///   - limit: what is asked for, in the same units.
    ///   - end: the period's.
    /// - Returns: nil when there is not enough data, when the limit is reached already, or when
    ///   the period ends too far ahead.
    package static func forecast(
        _ model: UsageModel, used: Int64, limit: Int64, now: Timestamp, end: Timestamp,
        zone: TimeZoneRules
    ) -> Exhaustion? {
        guard model.method != .notEnoughData, used < limit, now < end else { return nil }
        let days = DayCalendar.days(from: now, to: end, zone: zone, countMax: daysMax + 1)
        if days.count > daysMax { return nil }
        let start = Double(used)
        let wanted = Double(limit)
        var path = UsageModel.Path(model)
        var before = Estimate(low: start, expected: start, high: start)
        var result = Exhaustion(method: model.method, atPeriodEnd: before)
        for day in days {
            path.advance(day)
            let ahead = path.estimate
            let after = Estimate(
                // A low path never falls: usage that was counted stays.
                low: max(before.low, start + ahead.low), expected: start + ahead.expected,
                high: start + ahead.high)
            result.expected =
                result.expected ?? crossing(wanted, before.expected, after.expected, day.period)
            result.earliest =
                result.earliest ?? crossing(wanted, before.high, after.high, day.period)
            result.latest = result.latest ?? crossing(wanted, before.low, after.low, day.period)
            before = after
        }
        result.atPeriodEnd = before
        return result
    }

    /// Where a straight line from `first` to `last` over a day reaches a value; nil: it does not.
    private static func crossing(
        _ value: Double, _ first: Double, _ last: Double, _ day: Period
    ) -> Timestamp? {
        guard last >= value, last > first else { return nil }
        let share = min(1, max(0, (value - first) / (last - first)))
        let length = Double(day.end.microseconds(since: day.start))
        return Timestamp(
            microseconds: day.start.microseconds + Int64((length * share).rounded(.down)))
    }
}
