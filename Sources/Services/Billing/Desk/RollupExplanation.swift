import Entitlements
import MeteringModel
import MeteringPorts

/// The rollups under a line of usage: day by day of the statement's zone, parts of days from hours, and
/// days that were counted in another zone from hours too.
struct RollupExplanation {
    let queries: any LedgerQueries
    let snapshot: CatalogSnapshot
    let zone: TimeZoneRules

    /// Nothing for lines that are not about usage.
    func members(
        of line: StatementLine, _ customer: CustomerID
    ) throws(BillingError) -> [String: JSONValue] {
        guard let meter = line.meter, let index = snapshot.meterIndex(meter), line.from < line.to
        else { return [:] }
        let aggregation = snapshot.meters[index].aggregation
        let days = try days(customer, meter, aggregation, from: line.from, to: line.to)
        func quantity(_ state: UsageState) -> JSONValue {
            RecordCodec.quantity(state.reading(aggregation), scale: line.scale)
        }
        var whole = UsageState()
        for day in days where !whole.merge(day.state, aggregation) {
            throw BillingError(.unrateable, "the rollups of \(meter) leave 64 bits")
        }
        return [
            "rollups": .array(
                days.map {
                    .object([
                        "start": LineDocument.time($0.start), "value": quantity($0.state),
                        "events": .integer($0.state.count),
                    ])
                }),
            "rollups_total": quantity(whole),
        ]
    }

    private func days(
        _ customer: CustomerID, _ meter: MeterKey, _ aggregation: Aggregation, from: Timestamp,
        to: Timestamp
    ) throws(BillingError) -> [(start: Timestamp, state: UsageState)] {
        let rule = PeriodRule(unit: .day, anchor: .calendar)
        var days: [Timestamp: UsageState] = [:]
        func rows(
            _ window: RollupWindow, _ from: Timestamp, _ to: Timestamp
        ) throws(BillingError) -> [StoredRollup] {
            guard from < to else { return [] }
            let query = RollupQuery(
                customer: customer, meter: meter, window: window, from: from, to: to)
            return try BillingError.ledger { () throws(LedgerError) in try queries.rollups(query) }
        }
        func add(_ rows: [StoredRollup]) {
            for row in rows {
                let day = max(rule.period(containing: row.start, zone: zone).start, from)
                days[day, default: UsageState()].merge(row.state, aggregation)
            }
        }
        let first = rule.period(containing: from, zone: zone)
        let last = rule.period(containing: to, zone: zone).start
        let whole = first.start == from ? from : first.end
        // No zone's day begins earlier before ours.
        let found = try rows(.day, whole.adding(seconds: -2 * 86_400), last)
        let areOurs = found.allSatisfy {
            rule.period(containing: $0.start, zone: zone).start == $0.start
        }
        if whole <= last, areOurs {
            add(try rows(.hour, from, whole))
            add(found.filter { $0.start >= whole })
            add(try rows(.hour, last, to))
        } else {
            add(try rows(.hour, from, to))
        }
        return days.sorted { $0.key < $1.key }.map { (start: $0.key, state: $0.value) }
    }
}
