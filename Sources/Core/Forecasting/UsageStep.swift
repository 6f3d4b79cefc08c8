package import MeteringModel

/// Usage of one step of time: a day of the customer's zone or, in back-tests, any other step.
///
/// Values are statistics of usage, never what is billed: the one place where numbers are `Double`.
package struct UsageStep: Sendable, Hashable {
    package var period: Period
    /// Steps of one group are alike: the ISO weekday (1 to 7) of a day, 0 where there is no season.
    package var group: Int
    /// Smallest units of the meter.
    package var value: Double

    package init(period: Period, group: Int, value: Double) {
        self.period = period
        self.group = group
        self.value = value
    }

    var seconds: Double { period.secondsLong }
}

extension Period {
    /// Its length in seconds, for statistics.
    var secondsLong: Double { Double(end.microseconds(since: start)) / 1_000_000 }
}

/// Days of a zone with their weekdays. A day of a clock change has 23 or 25 hours.
package enum DayCalendar {
    private static let rule = PeriodRule(unit: .day, anchor: .calendar)

    package static func day(of instant: Timestamp, zone: TimeZoneRules) -> Period {
        rule.period(containing: instant, zone: zone)
    }

    /// The days that [from, to) touches, cut to it, each without usage; at most `countMax`.
    package static func days(
        from: Timestamp, to: Timestamp, zone: TimeZoneRules, countMax: Int
    ) -> [UsageStep] {
        var days: [UsageStep] = []
        var start = from
        while start < to, days.count < countMax {
            let day = day(of: start, zone: zone)
            // A day that the calendar cannot name ends the list.
            guard day.end > start else { break }
            let weekday = zone.civilDate(at: day.start).isoWeekday
            days.append(
                UsageStep(
                    period: Period(start: start, end: min(day.end, to)), group: weekday, value: 0))
            start = day.end
        }
        return days
    }

    /// Steps of equal length that values are put into; [first, last] is covered without gaps. Steps
    /// have no group unless `groups` says how many follow each other in a season.
    package static func steps(
        of values: [(at: Timestamp, value: Double)], secondsEach: Int64, groups: Int = 0
    ) -> [UsageStep] {
        guard secondsEach > 0, let first = values.map(\.at).min(),
            let last = values.map(\.at).max()
        else { return [] }
        let origin = first.seconds.floorDivided(by: secondsEach) * secondsEach
        let count = Int((last.seconds - origin) / secondsEach) + 1
        var steps = (0..<count).map { index in
            let start = Timestamp(seconds: origin + Int64(index) * secondsEach)
            return UsageStep(
                period: Period(start: start, end: start.adding(seconds: secondsEach)),
                group: groups > 0 ? index % groups + 1 : 0, value: 0)
        }
        for (at, value) in values {
            steps[Int((at.seconds - origin) / secondsEach)].value += value
        }
        return steps
    }
}
