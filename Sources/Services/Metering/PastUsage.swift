import Entitlements
import MeteringModel
import MeteringPorts

/// Makes usage rows of periods that nobody counted while they went by, from rollups.
///
/// Whole days of the customer's zone come from day rollups, the rest from hour rollups. A bound
/// inside of an hour (anchors of subscriptions, zones with half hours) leaves part of an hour over,
/// for which the log must be read: `slices`. Cost: two look-ups per day or hour with any usage in
/// the ledger, and one replay of the log for all slices together.
struct PastUsage {
    let queries: any LedgerQueries

    /// A row, still without the usage of its slices.
    struct Draft {
        var key: UsageKey
        var aggregation: Aggregation
        var state = UsageState()
        var slices: [UsageSlice] = []
        /// Whether usage of the meter is charged at admission.
        var isAdmitted = false

        var row: StoredUsage {
            // How much of it was charged at admission no rollup says. Where admissions count,
            // everything is taken for charged; used + under way is the same either way.
            let admitted = isAdmitted && aggregation.isAdditive ? state.value : 0
            return StoredUsage(
                key: key, aggregation: aggregation, state: state, admitted: admitted)
        }
    }

    func draft(
        _ owner: CompiledCustomer, _ meter: MeterDefinition, _ period: Period
    ) throws(LedgerError) -> Draft {
        var draft = Draft(
            key: UsageKey(customer: owner.id, meter: meter.key, period: period),
            aggregation: meter.aggregation)
        if period == .lifetime {
            try add(.day, period.start, period.end, to: &draft)
            return draft
        }
        let day = Segments.day(period.start, owner.zone)
        let first = day.start == period.start ? day.start : day.end
        let last = Segments.day(period.end, owner.zone).start
        guard first < last, try daysAreWhole(owner, meter.key, first, last) else {
            try addHours(period.start, period.end, to: &draft)
            return draft
        }
        try add(.day, first, last, to: &draft)
        try addHours(period.start, first, to: &draft)
        try addHours(last, period.end, to: &draft)
        return draft
    }

    /// False when days were counted in another zone: then they are not the days of now.
    private func daysAreWhole(
        _ owner: CompiledCustomer, _ meter: MeterKey, _ first: Timestamp, _ last: Timestamp
    ) throws(LedgerError) -> Bool {
        let rows = try queries.rollups(
            RollupQuery(
                customer: owner.id, meter: meter, window: .day,
                // A day of another zone that reaches past `first` begins within two days before.
                from: first.adding(seconds: -2 * 86_400), to: last))
        return rows.allSatisfy { Segments.day($0.start, owner.zone).start == $0.start }
    }

    private func addHours(
        _ from: Timestamp, _ to: Timestamp, to draft: inout Draft
    ) throws(LedgerError) {
        guard from < to else { return }
        let hour = Segments.hour(from)
        let first = hour.start == from ? from : hour.end
        let last = Segments.hour(to).start
        guard first <= last else {
            try addPart(from, to, to: &draft)
            return
        }
        try add(.hour, first, last, to: &draft)
        try addPart(from, first, to: &draft)
        try addPart(last, to, to: &draft)
    }

    /// Part of one hour; nothing needs to be read when the whole hour is empty.
    private func addPart(
        _ from: Timestamp, _ to: Timestamp, to draft: inout Draft
    ) throws(LedgerError) {
        guard from < to else { return }
        var whole = Draft(key: draft.key, aggregation: draft.aggregation)
        let hour = Segments.hour(from)
        try add(.hour, hour.start, hour.end, to: &whole)
        if whole.state.count == 0 { return }
        draft.slices.append(
            UsageSlice(
                customer: draft.key.customer, meter: draft.key.meter,
                period: Period(start: from, end: to)))
    }

    private func add(
        _ window: RollupWindow, _ from: Timestamp, _ to: Timestamp, to draft: inout Draft
    ) throws(LedgerError) {
        guard from < to else { return }
        let rows = try queries.rollups(
            RollupQuery(
                customer: draft.key.customer, meter: draft.key.meter, window: window, from: from,
                to: to))
        for row in rows where !draft.state.merge(row.state, draft.aggregation) {
            throw LedgerError(
                code: .overflow,
                message: "usage of meter \(draft.key.meter) by customer \(draft.key.customer) in "
                    + "one period leaves the range of 64-bit units; give it a shorter period")
        }
    }
}
