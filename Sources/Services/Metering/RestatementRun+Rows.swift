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

    /// Makes, and writes, the rows of periods that the new timelines count and the old did not, and
    /// hours that new bounds cut.
    func makeRows(
        _ numbers: [Int], from: Timestamp
    ) throws(LedgerError) -> [UsageKey: StoredUsage] {
        let until = now.adding(seconds: restater.aheadSeconds)
        let cutting = HourCutting(queries: ledger)
        var found: [(owner: CompiledCustomer, meter: Int, periods: [Period])] = []
        var hours: [HourCutting.Hour] = []
        for number in numbers {
            let change = TimelineChange(old: before(number), new: new.customer(number))
            for meter in meters(of: change.new) {
                let definition = new.meters[meter]
                let oldMeter = old.meterIndex(definition.key)
                let periods = try newPeriods(change, meter, oldMeter, from, until)
                found.append((change.new, meter, periods))
                let bounds = change.newBounds(
                    periods, meter: meter, oldIndex: old === new ? nil : oldMeter, from: from,
                    now: now)
                hours += try cutting.hours(
                    of: change.new, definition, index: meter, bounds: bounds)
            }
        }
        return try write(found, recut: recut(hours))
    }

    private func write(
        _ found: [(owner: CompiledCustomer, meter: Int, periods: [Period])], recut: [RecutHour]
    ) throws(LedgerError) -> [UsageKey: StoredUsage] {
        let past = try PastUsage(queries: ledger, recut: recut)
        var rows: [UsageKey: StoredUsage] = [:]
        for (owner, meter, periods) in found {
            let isAdmitted = Self.isAdmitted(owner, meter)
            for period in periods {
                let row = try past.row(owner, new.meters[meter], period, isAdmitted: isAdmitted)
                // A row without usage is written only over one that is there.
                if row.state.count == 0, try ledger.usage(row.key) == nil { continue }
                rows[row.key] = row
            }
        }
        if !isDryRun {
            // Before anything else: limits with grants follow from usage rows.
            var effects = LedgerRestatement(at: now)
            effects.usage = Array(rows.values)
            effects.recutHours = recut
            try ledger.restate(effects)
        }
        return rows
    }

    /// None of them when the log cannot be read: an hour that counts where it begins is closer to
    /// the truth than one that is not there.
    private func recut(_ hours: [HourCutting.Hour]) -> [RecutHour] {
        let slices = hours.flatMap { hour in
            hour.pieces.map {
                UsageSlice(customer: hour.customer, meter: hour.meter, period: $0)
            }
        }
        if slices.isEmpty { return [] }
        do throws(LedgerError) {
            let (cut, wholeCount) = HourCutting.cut(hours, try restater.recount(new, slices))
            if wholeCount > 0 {
                failure.error = LedgerError(
                    code: .unavailable,
                    message: "\(wholeCount) hours with usage could not be cut where contracts "
                        + "changed, because the log tells something else of them now; their usage "
                        + "counts where they begin")
            }
            return cut
        } catch {
            failure.error = error
            return []
        }
    }

    private func newPeriods(
        _ change: TimelineChange, _ meter: Int, _ oldMeter: Int?, _ from: Timestamp,
        _ until: Timestamp
    ) throws(LedgerError) -> [Period] {
        if let owner = change.old, owner.zone.name != change.new.zone.name {
            // Every period is another one, those that are over too: statements and checks ask for
            // them.
            let begins = try ledger.usageBegins() ?? from
            return change.newlyCounted(
                meter: meter, from: from, daysFrom: min(begins, from), to: until
            ) { period in
                guard period == .lifetime, let oldMeter else { return false }
                return Segments.counts(period, of: owner, meter: oldMeter)
            }
        }
        if old !== new {
            return change.newlyCounted(meter: meter, from: from, to: until) { period in
                guard let owner = change.old, let oldMeter else { return false }
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
