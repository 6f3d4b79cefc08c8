extension PeriodRule {
    /// The period that `instant` lies in, in the billing zone `zone`.
    ///
    /// Periods tile the time line: each ends where the next begins. A period's civil start becomes
    /// an instant by the zone's one rule (see `TimeZoneRules`): midnight that a gap skips is the
    /// instant after the gap, midnight that an overlap repeats is the first of the two. So a day of
    /// a clock change has 23 or 25 hours, and a day that a zone skipped altogether has no period.
    ///
    /// - Calendar hours begin at full local hours; where the offset changes by half an hour, one of
    ///   them lasts 90 minutes.
    /// - Subscription periods begin n units after the subscription's start, at its local time of
    ///   day, always counted from the original day: 31 January, 28 February, 31 March. Hours are
    ///   3,600 s each. Instants before the start lie in periods with a negative n.
    /// - Instants outside the years 1 to 9999 get the period of the nearest instant inside.
    public func period(containing instant: Timestamp, zone: TimeZoneRules) -> Period {
        let instant = instant.clampedToCalendar
        if unit == .lifetime { return .lifetime }
        switch anchor {
        case .calendar:
            if unit == .hour { return Self.localHour(of: instant, in: zone) }
            return CalendarStarts(unit: unit, zone: zone).period(containing: instant)
        case .subscription(let start):
            let start = start.clampedToCalendar
            if unit == .hour { return Self.hour(of: instant, countedFrom: start) }
            return SubscriptionStarts(unit: unit, start: start, zone: zone)
                .period(containing: instant)
        }
    }

    private static func hour(of instant: Timestamp, countedFrom start: Timestamp) -> Period {
        let hour: Int64 = 3_600_000_000
        let count = instant.microseconds(since: start).floorDivided(by: hour)
        let first = start.microseconds + count * hour
        return Period(
            start: Timestamp(microseconds: first), end: Timestamp(microseconds: first + hour))
    }

    private static func localHour(of instant: Timestamp, in zone: TimeZoneRules) -> Period {
        let second = instant.seconds
        var segment = zone.timeline.segment(at: second)
        var start =
            (second + Int64(segment.offset)).floorDivided(by: 3_600) * 3_600
            - Int64(segment.offset)
        let end = fullHour(after: second, in: zone)
        while start < segment.start {
            // The offset changed within this hour: its start lies before the change.
            let before = segment.start - 1
            segment = zone.timeline.segment(at: before)
            start =
                (before + Int64(segment.offset)).floorDivided(by: 3_600) * 3_600
                - Int64(segment.offset)
        }
        return Period(start: Timestamp(seconds: start), end: Timestamp(seconds: end))
    }

    /// The first second after `second` at which local time shows a full hour.
    private static func fullHour(after second: Int64, in zone: TimeZoneRules) -> Int64 {
        var from = second + 1
        while true {
            let segment = zone.timeline.segment(at: from)
            let local = from + Int64(segment.offset)
            let next = (local + 3_599).floorDivided(by: 3_600) * 3_600 - Int64(segment.offset)
            if next < segment.end { return next }
            from = segment.end
        }
    }
}

/// Ascending instants at which periods begin, one for each whole number.
private protocol PeriodStarts {
    /// Never decreasing in `number`; equal neighbours make a period of no length, which holds
    /// nothing.
    func start(_ number: Int) -> Timestamp
    /// A number whose period is near the one that holds `instant`.
    func estimate(_ instant: Timestamp) -> Int
}

extension PeriodStarts {
    func period(containing instant: Timestamp) -> Period {
        var number = estimate(instant)
        var first = start(number)
        while first > instant {
            number -= 1
            first = start(number)
        }
        var next = start(number + 1)
        while next <= instant {
            number += 1
            first = next
            next = start(number + 1)
        }
        return Period(start: first, end: next)
    }
}

/// Midnights of days, Mondays, firsts of months and years.
private struct CalendarStarts: PeriodStarts {
    var unit: PeriodUnit
    var zone: TimeZoneRules

    func start(_ number: Int) -> Timestamp {
        let date =
            switch unit {
            case .week: CivilDate(daysSinceEpoch: number * 7 - 3)
            case .month: CivilDate(year: 1970, month: 1, day: 1).adding(months: number)
            case .quarter: CivilDate(year: 1970, month: 1, day: 1).adding(months: number * 3)
            case .year: CivilDate(year: number, month: 1, day: 1)
            case .hour, .day, .lifetime: CivilDate(daysSinceEpoch: number)
            }
        return zone.instant(date)
    }

    func estimate(_ instant: Timestamp) -> Int {
        let date = zone.civilDate(at: instant)
        switch unit {
        case .week: return (date.daysSinceEpoch + 3).floorDivided(by: 7)
        case .month: return (date.year - 1970) * 12 + date.month - 1
        case .quarter:
            return ((date.year - 1970) * 12 + date.month - 1).floorDivided(by: 3)
        case .year: return date.year
        case .hour, .day, .lifetime: return date.daysSinceEpoch
        }
    }
}

/// The subscription's start and every unit after and before it.
private struct SubscriptionStarts: PeriodStarts {
    var unit: PeriodUnit
    var zone: TimeZoneRules
    private let origin: Timestamp
    private let date: CivilDate
    /// Microseconds after local midnight.
    private let timeOfDay: Int64

    init(unit: PeriodUnit, start: Timestamp, zone: TimeZoneRules) {
        self.unit = unit
        self.zone = zone
        origin = start
        let local = zone.localMicroseconds(at: start)
        let days = local.floorDivided(by: 86_400_000_000)
        date = CivilDate(daysSinceEpoch: Int(days))
        timeOfDay = local - days * 86_400_000_000
    }

    func start(_ number: Int) -> Timestamp {
        // The start itself may lie in the second half of an overlap; then its civil time would name
        // an earlier instant. It stays where it is, and its neighbours keep to their sides of it.
        if number == 0 { return origin }
        let shifted =
            switch unit {
            case .week: date.adding(days: number * 7)
            case .month: date.adding(months: number)
            case .quarter: date.adding(months: number * 3)
            case .year: date.adding(months: number * 12)
            case .hour, .day, .lifetime: date.adding(days: number)
            }
        let local = Int64(shifted.daysSinceEpoch) * 86_400_000_000 + timeOfDay
        let instant = zone.instant(localMicroseconds: local)
        return number > 0 ? max(instant, origin) : min(instant, origin)
    }

    func estimate(_ instant: Timestamp) -> Int {
        let current = zone.civilDate(at: instant)
        let days = current.daysSinceEpoch - date.daysSinceEpoch
        switch unit {
        case .week: return days.floorDivided(by: 7)
        case .month: return (current.year - date.year) * 12 + current.month - date.month
        case .quarter:
            return ((current.year - date.year) * 12 + current.month - date.month)
                .floorDivided(by: 3)
        case .year: return current.year - date.year
        case .hour, .day, .lifetime: return days
        }
    }
}
