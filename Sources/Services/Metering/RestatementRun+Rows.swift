import Entitlements
import MeteringModel
import MeteringPorts

/// Rows of periods that are counted anew.
extension RestatementRun {
    /// A customer that the process has just come to know has no usage.
    func known(_ number: Int) -> Bool { number < old.customerCount }

    func before(_ number: Int) -> CompiledCustomer? {
        let owner = old.customer(number)
        return owner.isRemoved ? nil : owner
    }

    /// Makes, and writes, the rows of periods that the new timelines count and the old did not.
    func makeRows(
        _ numbers: [Int], from: Timestamp
    ) throws(LedgerError) -> [UsageKey: StoredUsage] {
        let until = now.adding(seconds: restater.aheadSeconds)
        let past = PastUsage(queries: ledger)
        var drafts: [PastUsage.Draft] = []
        for number in numbers {
            let change = TimelineChange(old: before(number), new: new.customer(number))
            for meter in meters(of: change.new) {
                let definition = new.meters[meter]
                let oldMeter = old.meterIndex(definition.key)
                let periods = try newPeriods(change, meter, oldMeter, from, until)
                for period in periods {
                    var draft = try past.draft(change.new, definition, period)
                    draft.isAdmitted = Self.isAdmitted(change.new, meter)
                    drafts.append(draft)
                }
            }
        }
        return try write(drafts)
    }

    private func newPeriods(
        _ change: TimelineChange, _ meter: Int, _ oldMeter: Int?, _ from: Timestamp,
        _ until: Timestamp
    ) throws(LedgerError) -> [Period] {
        if old !== new {
            return change.newlyCounted(meter: meter, from: from, to: until) { period in
                guard let owner = change.old, let oldMeter,
                    owner.zone.name == change.new.zone.name
                else { return false }
                return Segments.counts(period, of: owner, meter: oldMeter)
            }
        }
        // Nothing changed: only what a crash has left out is missing.
        var missing: [Period] = []
        let meterKey = new.meters[meter].key
        for period in change.newlyCounted(
            meter: meter, from: from, to: until, wasCounted: { _ in false })
        {
            let key = UsageKey(customer: change.new.id, meter: meterKey, period: period)
            if try ledger.usage(key) == nil { missing.append(period) }
        }
        return missing
    }

    private func write(
        _ drafts: [PastUsage.Draft]
    ) throws(LedgerError) -> [UsageKey: StoredUsage] {
        var drafts = drafts
        let slices = drafts.flatMap(\.slices)
        if !slices.isEmpty {
            let states = recount(slices)
            var next = 0
            for index in drafts.indices {
                for _ in drafts[index].slices {
                    drafts[index].state.merge(states[next], drafts[index].aggregation)
                    next += 1
                }
            }
        }
        var rows: [UsageKey: StoredUsage] = [:]
        for draft in drafts {
            // A row without usage is written only over one that is there.
            if draft.state.count == 0, try ledger.usage(draft.key) == nil { continue }
            rows[draft.key] = draft.row
        }
        if !isDryRun, !rows.isEmpty {
            // Before anything else: limits with grants follow from usage rows.
            var effects = LedgerRestatement(at: now)
            effects.usage = Array(rows.values)
            try ledger.restate(effects)
        }
        return rows
    }

    /// Nothing for all of them when the log cannot be read: a row that lacks part of an hour is
    /// closer to the truth than one that begins with nothing.
    private func recount(_ slices: [UsageSlice]) -> [UsageState] {
        do throws(LedgerError) {
            return try restater.recount(new, slices)
        } catch {
            failure.error = error
            return slices.map { _ in UsageState() }
        }
    }

    private func meters(of owner: CompiledCustomer) -> [Int] {
        var meters: Set<Int> = []
        for segment in owner.segments {
            for index in 0..<segment.quotaCount {
                guard case .metered(let quota, _) = segment.quotaEntitlement(index).value,
                    let meter = new.meterIndex(quota.meter)
                else { continue }
                meters.insert(meter)
            }
        }
        return meters.sorted()
    }

    private static func isAdmitted(_ owner: CompiledCustomer, _ meter: Int) -> Bool {
        owner.segments.contains { segment in
            segment.quotas(ofMeter: meter).contains {
                segment.quota($0).counting == .admission
            }
        }
    }
}
