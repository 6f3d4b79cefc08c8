import Entitlements
import MeteringModel
import MeteringPorts

/// The quotas that one question is about: the customer's own (or the one it inherits), then those of
/// its ancestors. A charge goes to all of them or to none.
struct QuotaPath: Sendable {
    /// Who was asked about, and what it has now.
    var segment: EntitlementSegment
    var first: CounterBoard.Located
    /// Nearest first.
    var above: [CounterBoard.Located] = []

    var owner: CompiledCustomer { segment.customer }
    var snapshot: CatalogSnapshot { first.snapshot }
    var now: Timestamp { first.now }
    /// What is asked for is the same on all levels: one feature, one meter, one scale.
    var quota: Quota { first.quota }
    var levels: [CounterBoard.Located] { [first] + above }

    /// Nil when no level has a quota.
    /// - Parameter feature: its number.
    init?(
        _ snapshot: CatalogSnapshot, _ segment: EntitlementSegment, _ feature: Int,
        at now: Timestamp
    ) {
        var first: CounterBoard.Located?
        var above: [CounterBoard.Located] = []
        snapshot.levels(of: segment.customer.number, featureNumber: feature, at: now) {
            _, part, position in
            let level = CounterBoard.Located(snapshot, part, quota: position, now: now)
            if first == nil { first = level } else { above.append(level) }
        }
        guard let first else { return nil }
        self.segment = segment
        self.first = first
        self.above = above
    }
}

/// Units taken on levels of a path, so that they can be given back.
struct Charge: Sendable {
    struct Level: Sendable {
        enum Backing: Sendable {
            case local, store
            /// Units of the allowance for an outage of the store.
            case allowance
        }
        var located: CounterBoard.Located
        var period: Period
        var backing: Backing
        var row: UsageKey {
            UsageKey(
                customer: located.quota.customer, meter: located.quota.meter, period: period)
        }
    }
    var path: QuotaPath
    var quantity: Int64
    var levels: [Level] = []

    /// The instants that all charged periods have in common; those of the first if there are none.
    var period: Period { Self.common(levels.map(\.period)) ?? .lifetime }

    static func common(_ periods: [Period]) -> Period? {
        guard var common = periods.first else { return nil }
        for period in periods.dropFirst() {
            let start = max(common.start, period.start)
            let end = min(common.end, period.end)
            if start < end { common = Period(start: start, end: end) }
        }
        return common
    }
}
