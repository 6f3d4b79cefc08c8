/// The half-open interval [start, end) that a quota counts in.
public struct Period: Hashable, Sendable, Codable {
    public var start: Timestamp
    public var end: Timestamp

    public init(start: Timestamp, end: Timestamp) {
        self.start = start
        self.end = end
    }

    public static let lifetime = Period(start: .distantPast, end: .distantFuture)

    public func contains(_ instant: Timestamp) -> Bool { start <= instant && instant < end }
}

/// How long a quota's period is.
public enum PeriodUnit: String, Sendable, Hashable, Codable, CaseIterable {
    case hour, day, week, month, quarter, year, lifetime
}

/// Where a quota's periods start.
public enum PeriodAnchor: Hashable, Sendable {
    /// On the calendar: the full hour, midnight, Monday, the 1st, the 1st of January,
    /// April, July or October, 1 January, in the billing zone.
    case calendar
    /// At the subscription's start and every unit after it; days 29–31 clamp to the month's end.
    case subscription(start: Timestamp)
}

/// Unit and anchor; with a time zone it says which period an instant lies in.
public struct PeriodRule: Hashable, Sendable {
    public var unit: PeriodUnit
    public var anchor: PeriodAnchor

    public init(unit: PeriodUnit, anchor: PeriodAnchor) {
        self.unit = unit
        self.anchor = anchor
    }
}
