package import MeteringModel

/// Adds rollups up over any stretch of time: whole days of the customer's zone from day rollups,
/// the rest from hour rollups.
///
/// A row counts where it starts. Hour rows start wherever entitlements and periods change, so the
/// sum over a stretch between two such instants is exact. Where hours have been dropped, days count
/// where they start, and where days have been dropped, months: stretches that meet still add up to
/// all there is. Cost: two look-ups per day or hour with any usage in the ledger.
package struct RollupReading {
    package typealias Rows = (RollupQuery) throws(LedgerError) -> [StoredRollup]

    private let customer: CustomerID
    private let meter: MeterKey
    private let aggregation: Aggregation
    private let zone: TimeZoneRules
    /// The first day whose hours are all there, and the first month whose days are.
    private let hoursFrom: Timestamp
    private let daysFrom: Timestamp
    private let rows: Rows

    private static let day = PeriodRule(unit: .day, anchor: .calendar)
    private static let month = PeriodRule(unit: .month, anchor: .calendar)
    /// A day or month of another zone begins less than that before or after that of ours.
    private static let zoneSlack: Int64 = 2 * 86_400

    /// - Parameters:
    ///   - zone: the customer's now.
    ///   - rows: the rollups of a query, by start.
    package init(
        _ customer: CustomerID, _ meter: MeterKey, _ aggregation: Aggregation,
        zone: TimeZoneRules, kept: RollupsKept, rows: @escaping Rows
    ) {
        self.customer = customer
        self.meter = meter
        self.aggregation = aggregation
        self.zone = zone
        self.rows = rows
        hoursFrom = Self.firstStart(Self.day, kept.hoursFrom, zone)
        daysFrom = Self.firstStart(Self.month, kept.daysFrom, zone)
    }

    /// The first period of the rule that begins at or after an instant.
    package static func firstStart(
        _ rule: PeriodRule, _ instant: Timestamp, _ zone: TimeZoneRules
    ) -> Timestamp {
        if instant <= .distantPast { return .distantPast }
        let period = rule.period(containing: instant, zone: zone)
        return period.start == instant ? instant : period.end
    }

    /// Usage of [from, to).
    /// - Throws: `.overflow` when the sum leaves Int64, and what `rows` throws.
    package func state(from: Timestamp, to: Timestamp) throws(LedgerError) -> UsageState {
        var sum = UsageState()
        guard from < to else { return sum }
        if from <= .distantPast, to >= .distantFuture {
            try add(try rows(query(.month, from, to)), to: &sum)
            return sum
        }
        let first = Self.firstStart(Self.day, from, zone)
        let last = Self.day.period(containing: to, zone: zone).start
        guard first < last, let days = try wholeDays(first, last) else {
            try addHours(from, to, to: &sum)
            return sum
        }
        try addHours(from, first, to: &sum)
        try add(days, to: &sum)
        try addHours(last, to, to: &sum)
        return sum
    }

    /// Rows of the days from `first` to `last`; nil when some were counted in another zone: then
    /// they are not the days of now.
    private func wholeDays(
        _ first: Timestamp, _ last: Timestamp
    ) throws(LedgerError) -> [StoredRollup]? {
        let from = max(first, min(daysFrom, last))
        var found = try rows(query(.day, from.adding(seconds: -Self.zoneSlack), last))
        let areOurs = found.allSatisfy {
            Self.day.period(containing: $0.start, zone: zone).start == $0.start
        }
        if !areOurs { return nil }
        found.removeAll { $0.start < from }
        return try months(first, from) + found
    }

    /// Months that start in a stretch whose days are gone. One of another zone is taken for the
    /// month of ours that holds most of it.
    private func months(
        _ from: Timestamp, _ to: Timestamp
    ) throws(LedgerError) -> [StoredRollup] {
        guard from < to else { return [] }
        let slack = Self.zoneSlack
        return try rows(query(.month, from.adding(seconds: -slack), to)).filter { row in
            let inside = row.start.adding(seconds: slack)
            let start = Self.month.period(containing: inside, zone: zone).start
            return from <= start && start < to
        }
    }

    private func addHours(
        _ from: Timestamp, _ to: Timestamp, to sum: inout UsageState
    ) throws(LedgerError) {
        guard from < to else { return }
        let cut = max(from, min(hoursFrom, to))
        if from < cut {
            let days = max(from, min(daysFrom, cut))
            try add(try months(from, days), to: &sum)
            if days < cut { try add(try rows(query(.day, days, cut)), to: &sum) }
        }
        if cut < to { try add(try rows(query(.hour, cut, to)), to: &sum) }
    }

    private func query(
        _ window: RollupWindow, _ from: Timestamp, _ to: Timestamp
    ) -> RollupQuery {
        RollupQuery(customer: customer, meter: meter, window: window, from: from, to: to)
    }

    private func add(_ rows: [StoredRollup], to sum: inout UsageState) throws(LedgerError) {
        for row in rows where !sum.merge(row.state, aggregation) {
            throw LedgerError(
                code: .overflow,
                message: "usage of meter \(meter) by customer \(customer) in one period leaves the "
                    + "range of 64-bit units; give it a shorter period")
        }
    }
}
