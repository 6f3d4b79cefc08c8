import Entitlements
package import MeteringModel
package import MeteringPorts
import QuotaEngine
import Synchronization

extension CounterBoard {
    /// What a counter counts down from, and until when that is so.
    struct Terms {
        /// With grants.
        var limit: Limit
        /// Units that `remaining` counts down from: the stop, or the limit where nothing stops.
        var base: Int64
        var policy: QuotaPolicy
        var limitReachedAt: Timestamp?
        /// Unix seconds.
        var windowEnd: Int64
        /// The contract's limit alone decides, until the period's end.
        var isPlain: Bool

        var stop: Int64? { policy.contains(.hard) ? base : nil }
    }

    /// The terms of a quota from now on.
    /// - Parameter used: the ledger's reading for the period.
    func terms(
        _ located: Located, _ period: Period, used: Int64
    ) throws(LedgerError) -> Terms {
        let now = located.now
        let resolved = try limits.resolve(located.quota, period, at: now)
        var quota = located.quota
        quota.limit = resolved.limit
        var end = min(period.end, located.segment.end, resolved.until)
        let reachedAt = try limitReachedAt(
            quota, period, used: used, since: max(located.segment.start, resolved.from))
        if let graceEnd = QuotaRules.graceEnd(of: quota, limitReachedAt: reachedAt),
            graceEnd > now
        {
            end = min(end, graceEnd)
        }
        let stop = QuotaRules.stop(of: quota, limitReachedAt: reachedAt, at: now)
        var policy: QuotaPolicy = []
        if quota.limit == .unlimited { policy.insert(.unlimited) }
        if stop != nil { policy.insert(.hard) }
        let isPlain =
            located.quota.grants.isEmpty && quota.grace == nil && quota.overageMax == nil
            && quota.limit == located.quota.limit && end == period.end
            && quota.limit.finite.map { $0 >= 0 } ?? true
        return Terms(
            limit: quota.limit, base: stop ?? quota.limit.finite ?? 0, policy: policy,
            limitReachedAt: reachedAt, windowEnd: max(end.seconds, now.seconds + 1),
            isPlain: isPlain)
    }

    /// When usage of a period reached the limit, where that matters: the instant that the ledger
    /// has of it, so that every start of the service finds the same. A limit that came down upon
    /// usage has no such entry; it was reached when it came into force.
    /// - Parameters:
    ///   - quota: with its limit resolved.
    ///   - since: from when on the limit has been in force.
    package func limitReachedAt(
        _ quota: Quota, _ period: Period, used: Int64, since: Timestamp
    ) throws(LedgerError) -> Timestamp? {
        guard quota.enforcement == .hard, quota.grace?.days != nil,
            let limit = quota.limit.finite, used >= max(limit, 0)
        else { return nil }
        var after: Int64 = 0
        var earliest: Timestamp?
        while true {
            let page = try queries.crossings(
                customer: quota.customer, since: nil, after: after, limit: 1_000)
            for stored in page {
                let crossing = stored.crossing
                guard crossing.feature == quota.feature, crossing.period == period,
                    crossing.threshold == .share(basisPoints: 10_000),
                    crossing.limit == quota.limit
                else { continue }
                earliest = min(earliest ?? crossing.crossedAt, crossing.crossedAt)
            }
            guard page.count == 1_000, let last = page.last else { break }
            after = last.sequence
        }
        return earliest ?? max(period.start, since)
    }

    // MARK: making counters

    /// Makes the counter from the ledger, rolls it into the period that contains the located
    /// instant, or re-bases it in its period.
    func load(_ located: Located) throws(LedgerError) {
        let period = located.quota.rule.period(
            containing: located.now, zone: located.owner.zone)
        try withStates(located.key) { (contents) throws(LedgerError) in
            let current = catalog.load()
            let number = located.owner.number
            if number >= current.customerCount || current.customer(number) !== located.owner {
                throw LedgerError(
                    code: .busy, message: "the contract has just changed; try again",
                    isRetriable: true)
            }
            guard let state = contents.states[located.key] else {
                try install(located, period, after: nil, &contents)
                return
            }
            // Somebody else may have done it while this one waited for the lock.
            if state.terms.windowEnd > located.now.seconds,
                table.read(located.key)?.periodEnd == state.terms.windowEnd
            {
                return
            }
            if state.period == period, state.row.meter == located.quota.meter,
                state.aggregation == located.quota.aggregation, !state.isStale,
                try refit(located, state, &contents)
            {
                return
            }
            try install(located, period, after: state, &contents)
        }
    }

    /// The same period under other terms. False when the table has another counter than the state.
    @discardableResult
    func refit(
        _ located: Located, _ state: QuotaState, _ contents: inout Shard.Contents
    ) throws(LedgerError) -> Bool {
        var state = state
        let terms = try terms(located, state.period, used: state.ledgerUsed)
        guard
            table.rebase(
                located.key, from: state.terms.windowEnd, to: terms.windowEnd,
                policy: terms.policy.with(generation: state.generation),
                limitDelta: terms.base.subtractingSaturated(state.terms.base))
        else { return false }
        state.terms = terms
        let orphaned = takeOrphans(located)
        if orphaned != 0 {
            state.inFlight = state.inFlight.addingSaturated(orphaned)
            _ = table.add(
                located.key, Int64(0).subtractingSaturated(orphaned), periodEnd: terms.windowEnd)
        }
        contents.states[located.key] = state
        table.setBase(located.key, terms.base)
        markPlain(located.key, state)
        return true
    }

    /// Lets questions be answered from the table alone, where that is enough. Called with the shard
    /// locked, when everything else of the counter is in place.
    private func markPlain(_ key: UInt64, _ state: QuotaState) {
        guard state.isPlain else { return }
        _ = table.add(
            key, 0, periodEnd: state.terms.windowEnd, generation: state.generation, isPlain: true)
    }

    /// A counter from the ledger.
    private func install(
        _ located: Located, _ period: Period, after old: QuotaState?,
        _ contents: inout Shard.Contents
    ) throws(LedgerError) {
        let quota = located.quota
        let row = UsageKey(customer: quota.customer, meter: quota.meter, period: period)
        let stored = try queries.usage(row)
        let used = stored?.state.reading(quota.aggregation) ?? 0
        let terms = try terms(located, period, used: used)
        var inFlight: Int64 = 0
        if let old { inFlight = carried(from: old, to: row, located) }
        inFlight = inFlight.addingSaturated(takeOrphans(located))
        let held = holds.withLock { $0.units(located.key, period) }
        let generation: UInt8
        if let old {
            generation = (old.generation + 1) & 31
        } else {
            contents.generation = (contents.generation + 1) & 31
            generation = contents.generation
        }
        let state = QuotaState(
            row: row, aggregation: quota.aggregation, terms: terms, generation: generation,
            appliedCount: stored?.state.count ?? 0, ledgerUsed: used, inFlight: inFlight,
            held: held, lastChargeAt: inFlight == 0 ? .distantPast : located.now)
        contents.states[located.key] = state
        table.install(
            located.key, base: terms.base, policy: terms.policy.with(generation: generation),
            periodEnd: terms.windowEnd,
            remaining: terms.base.subtractingSaturated(used).subtractingSaturated(held)
                .subtractingSaturated(inFlight))
        markPlain(located.key, state)
    }

    /// Charges under way of the counter before that the new one must contain.
    private func carried(
        from old: QuotaState, to row: UsageKey, _ located: Located
    ) -> Int64 {
        if old.row.meter != row.meter {
            addOrphans(old)
            return 0
        }
        if old.period == row.period { return old.inFlight }
        // Over: the ledger will count them in the period before. Not over, but under other periods
        // now: they belong to those when the contract that brought them was in force already.
        let isOver = old.period.end <= located.now
        return isOver || old.lastChargeAt < located.segment.start ? 0 : old.inFlight
    }

    func addOrphans(_ state: QuotaState) {
        guard state.inFlight > 0 else { return }
        let orphan = Orphan(customer: state.row.customer, meter: state.row.meter)
        orphans.withLock { $0[orphan] = ($0[orphan] ?? 0).addingSaturated(state.inFlight) }
    }

    private func takeOrphans(_ located: Located) -> Int64 {
        guard located.quota.counting == .admission else { return 0 }
        let orphan = Orphan(customer: located.quota.customer, meter: located.quota.meter)
        return orphans.withLock { $0.isEmpty ? 0 : $0.removeValue(forKey: orphan) ?? 0 }
    }
}
