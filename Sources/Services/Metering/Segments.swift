import Entitlements
import MeteringModel
import MeteringPorts

/// Where in time an event counts: its hour, its customer's day, and the periods of its customer's
/// quotas and of those of every customer above it in the tree.
///
/// A quota's period counts all usage that falls in it, from its start to its end, as soon as the
/// quota's rule is in force during any part of it. So a row is made of the log and the timeline
/// alone: when a rule changes in mid-period, the rows of both rules are whole.
struct Segments {
    let snapshot: CatalogSnapshot
    /// Instants that no segment may straddle, ascending.
    var cuts: [Timestamp] = []

    private static let hourRule = PeriodRule(unit: .hour, anchor: .calendar)
    private static let dayRule = PeriodRule(unit: .day, anchor: .calendar)
    private static let monthRule = PeriodRule(unit: .month, anchor: .calendar)

    /// The full hour by the clocks of the zone.
    static func hour(_ at: Timestamp, _ zone: TimeZoneRules) -> Period {
        hourRule.period(containing: at, zone: zone)
    }

    static func day(_ at: Timestamp, _ zone: TimeZoneRules) -> Period {
        dayRule.period(containing: at, zone: zone)
    }

    static func month(_ at: Timestamp, _ zone: TimeZoneRules) -> Period {
        monthRule.period(containing: at, zone: zone)
    }

    /// Months since 1970-01, UTC.
    static func monthNumber(_ at: Timestamp) -> Int32 {
        let date = TimeZoneRules.utc.civilDate(at: at)
        return Int32((date.year - 1970) * 12 + date.month - 1)
    }

    /// The hour by UTC: no hour rollup straddles one, whatever zone it was counted in.
    static func hour(_ at: Timestamp) -> Period {
        let start = at.seconds.floorDivided(by: 3_600) * 3_600
        return Period(start: Timestamp(seconds: start), end: Timestamp(seconds: start + 3_600))
    }

    /// The stretch of an hour around `at`, by UTC and by the customer's clocks, in which the
    /// customer's own entitlements, day and periods stay the same: what one hour rollup holds.
    /// - Parameter segment: the customer's at `at`.
    static func stretch(
        of owner: CompiledCustomer, _ segment: EntitlementSegment, meter: Int, at: Timestamp
    ) -> Period {
        var stretch = hour(at)
        func narrow(_ start: Timestamp, _ end: Timestamp) {
            if start > stretch.start { stretch.start = start }
            if end < stretch.end { stretch.end = end }
        }
        let local = hour(at, owner.zone)
        narrow(local.start, local.end)
        narrow(segment.start, segment.end)
        let day = day(at, owner.zone)
        narrow(day.start, day.end)
        forEachRule(of: owner, meter: meter, at: at) { period, _ in
            narrow(period.start, period.end)
        }
        return stretch
    }

    /// The longest stretch of time around `at` in which everything that an event of the customer
    /// counts in, and every quota it is scored by, stays the same.
    func around(_ at: Timestamp, customer: Int, meter: Int) -> Period {
        var stretch = Self.hour(at)
        func narrow(_ start: Timestamp, _ end: Timestamp) {
            if start > stretch.start { stretch.start = start }
            if end < stretch.end { stretch.end = end }
        }
        for cut in cuts {
            if cut <= at { narrow(cut, stretch.end) } else { narrow(stretch.start, cut) }
        }
        snapshot.lineage(of: customer, at: at) { owner, segment in
            let own = Self.stretch(of: owner, segment, meter: meter, at: at)
            narrow(own.start, own.end)
        }
        return stretch
    }

    /// The periods that a customer counts `at` in, each once.
    static func periods(
        of owner: CompiledCustomer, meter: Int, at: Timestamp
    ) -> [Period] {
        var periods: [Period] = []
        forEachRule(of: owner, meter: meter, at: at) { period, isCounted in
            if isCounted, !periods.contains(period) { periods.append(period) }
        }
        return periods
    }

    /// Whether usage in `period` is kept in a row of its own.
    static func counts(_ period: Period, of owner: CompiledCustomer, meter: Int) -> Bool {
        var isCounted = false
        forEachRule(of: owner, meter: meter, at: period.start) { found, counts in
            if counts, found == period { isCounted = true }
        }
        return isCounted
    }

    /// Whether the timeline keeps a row; one that it does not is left over from other terms.
    static func isKept(_ key: UsageKey, _ snapshot: CatalogSnapshot) -> Bool {
        guard let customer = snapshot.liveCustomer(key.customer),
            let meter = snapshot.meterIndex(key.meter)
        else { return false }
        return counts(key.period, of: snapshot.customer(customer), meter: meter)
    }

    /// The period around `at` of every rule that the timeline has for the meter at any time, and
    /// whether the rule is in force during some of that period. May name one several times.
    private static func forEachRule(
        of owner: CompiledCustomer, meter: Int, at: Timestamp, _ body: (Period, Bool) -> Void
    ) {
        var known: [(rule: PeriodRule, period: Period)] = []
        func visit(_ segment: EntitlementSegment) {
            for index in segment.quotas(ofMeter: meter) {
                let rule = segment.rule(ofQuota: index)
                let period: Period
                if let found = known.first(where: { $0.rule == rule }) {
                    period = found.period
                } else {
                    period = rule.period(containing: at, zone: owner.zone)
                    known.append((rule, period))
                }
                body(period, segment.start < period.end && period.start < segment.end)
            }
        }
        if owner.nextBoundary(after: .distantPast) == nil {
            visit(owner.segment(at: at))
        } else {
            for segment in owner.segments { visit(segment) }
        }
    }
}

extension CatalogSnapshot {
    /// The number of a customer that has not been removed.
    func liveCustomer(_ id: CustomerID) -> Int? {
        customerIndex(id).flatMap { customer($0).isRemoved ? nil : $0 }
    }
}
