public import MeteringModel

/// Uses grants up: what is left of each follows from past usage alone.
///
/// The time since the first grant is cut into intervals in which nothing changes: at the bounds of
/// the quota's periods, and where its limit, its rule or its grants change. Within a period usage
/// takes the allowance first. What goes beyond it is drawn from the grants in force, in the order
/// of `isUsedBefore`; what no grant covers is overage. A grant that begins within the period covers
/// overage of that period first. When usage of a period falls again, or its allowance rises, the
/// last units drawn are the first to come back, so that what is drawn depends on how much was used,
/// not on how it was cut. A period that ends is settled: what it drew is gone, and what is left of
/// each grant becomes what its rollover says.
public enum GrantBurnDown {
    /// A time in which neither the quota nor the period changes.
    public struct Interval: Hashable, Sendable {
        public var start: Timestamp
        public var end: Timestamp
        /// The quota's period that it lies in.
        public var period: Period
        /// The quota's limit without grants.
        public var allowance: Limit
        /// Those in force in this interval, in any order.
        public var grants: [Quota.Grant]
        /// Units used within the interval.
        public var used: Int64
        public init(
            start: Timestamp, end: Timestamp, period: Period, allowance: Limit,
            grants: [Quota.Grant], used: Int64 = 0
        ) {
            self.start = start
            self.end = end
            self.period = period
            self.allowance = allowance
            self.grants = grants
            self.used = used
        }
    }

    /// What is left of one grant.
    public struct Balance: Hashable, Sendable {
        public var grant: Quota.Grant
        public var left: Int64
    }

    /// How it stands in an interval.
    public struct Point: Hashable, Sendable {
        public var interval: Interval
        /// Before the interval's usage, in the order of use.
        public var opening: [Balance]
        /// After it.
        public var closing: [Balance]
        /// What the gate holds usage of the period against: the allowance, what was drawn from
        /// grants in this period, and what is left of those in force. It is the same throughout
        /// the interval, whatever is used in it: what remains is `limit` − usage of the period.
        public var limit: Limit
        /// Units of the period so far, with the interval's.
        public var usedOfPeriod: Int64
        /// Units of the period so far that neither the allowance nor a grant covers.
        public var overage: Int64
    }

    /// - Parameter intervals: ascending, without overlaps; gaps are times without the quota.
    public static func fold(_ intervals: some Sequence<Interval>) -> [Point] {
        var account = GrantAccount()
        return intervals.map { account.advance($0) }
    }

    /// What is left of each grant at an instant: after the usage of the intervals before, and all
    /// of that of the interval that it lies in.
    public static func balances(
        _ intervals: some Sequence<Interval>, at instant: Timestamp
    ) -> [Balance] {
        point(intervals, at: instant)?.closing ?? []
    }

    /// The limit in force at an instant; nil where there is no interval.
    public static func limit(
        _ intervals: some Sequence<Interval>, at instant: Timestamp
    ) -> Limit? {
        point(intervals, at: instant)?.limit
    }

    private static func point(
        _ intervals: some Sequence<Interval>, at instant: Timestamp
    ) -> Point? {
        var account = GrantAccount()
        for interval in intervals {
            if interval.start > instant { return nil }
            let point = account.advance(interval)
            if instant < interval.end { return point }
        }
        return nil
    }

    /// The order of use: lowest priority number first, then the earliest expiry (those without one
    /// last), then the earliest start, then the id.
    public static func isUsedBefore(_ left: Quota.Grant, _ right: Quota.Grant) -> Bool {
        let leftEnd = left.terms.expires ?? .distantFuture
        let rightEnd = right.terms.expires ?? .distantFuture
        if left.terms.priority != right.terms.priority {
            return left.terms.priority < right.terms.priority
        }
        if leftEnd != rightEnd { return leftEnd < rightEnd }
        if left.terms.start != right.terms.start { return left.terms.start < right.terms.start }
        return left.id < right.id
    }
}
