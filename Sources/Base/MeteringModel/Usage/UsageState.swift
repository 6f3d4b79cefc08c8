/// The mergeable state of one aggregation: what a usage row or a rollup holds, and also what one
/// batch adds to it. Merging is associative and commutative, so batches may be cut anywhere.
public struct UsageState: Hashable, Sendable {
    /// Number of events.
    public var count: Int64
    /// count and sum: the total · avg: the sum · max, min, latest: that value · unique: the number
    /// of distinct values (an estimate above the sketch's exact bound). Meter's smallest unit.
    public var value: Int64
    /// latest only: the event time (µs) of `value`; ties are broken by the larger value, so that
    /// the outcome does not depend on the order of arrival.
    public var orderedAt: Int64
    /// unique only.
    public var distinct: DistinctSketch?

    public init(
        count: Int64 = 0, value: Int64 = 0, orderedAt: Int64 = .min, distinct: DistinctSketch? = nil
    ) {
        self.count = count
        self.value = value
        self.orderedAt = orderedAt
        self.distinct = distinct
    }

    /// The state that one event alone makes.
    /// - Parameters:
    ///   - value: the event's value in the meter's smallest unit; ignored for count and unique.
    ///   - at: the event's own time, µs.
    ///   - member: unique only: the 64-bit hash of the counted value.
    public static func one(
        _ aggregation: Aggregation, value: Int64, at: Int64, member: UInt64 = 0
    ) -> UsageState {
        switch aggregation {
        case .count: UsageState(count: 1, value: 1)
        case .sum, .avg, .max, .min: UsageState(count: 1, value: value)
        case .latest: UsageState(count: 1, value: value, orderedAt: at)
        case .unique: UsageState(count: 1, value: 1, distinct: DistinctSketch(member))
        }
    }

    /// Merges `other` in. Returns false, and changes nothing, when a sum would leave Int64.
    ///
    /// Where states add up, one may stand for events taken out again: count and value are negative
    /// then, and a count of 0 may come with a value (one event exchanged for another).
    @discardableResult
    public mutating func merge(_ other: UsageState, _ aggregation: Aggregation) -> Bool {
        if other.count == 0, other.value == 0 { return true }
        if count == 0, value == 0 {
            self = other
            return true
        }
        let (newCount, countOverflow) = count.addingReportingOverflow(other.count)
        if countOverflow { return false }
        switch aggregation {
        case .count, .sum, .avg:
            let (sum, overflow) = value.addingReportingOverflow(other.value)
            if overflow { return false }
            value = sum
        case .max: value = Swift.max(value, other.value)
        case .min: value = Swift.min(value, other.value)
        case .latest:
            if (other.orderedAt, other.value) > (orderedAt, value) {
                value = other.value
                orderedAt = other.orderedAt
            }
        case .unique:
            var merged = distinct ?? DistinctSketch()
            if let members = other.distinct { merged.merge(members) }
            distinct = merged
            value = merged.estimate
        }
        count = newCount
        return true
    }

    /// The state that takes this one out again; only where states add up.
    public var negated: UsageState { UsageState(count: 0 &- count, value: 0 &- value) }

    /// What the meter reads: for avg the mean, rounded to the nearest unit (half away from zero).
    public func reading(_ aggregation: Aggregation) -> Int64 {
        guard aggregation == .avg, count > 0 else { return value }
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: count)
        if remainder.magnitude >= count.magnitude - remainder.magnitude {
            return quotient + value.signum()
        }
        return quotient
    }
}
