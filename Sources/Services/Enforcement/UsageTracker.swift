import Entitlements
import Logging
import MeteringModel
package import MeteringPorts

/// Listens to the ledger's commits and keeps what answers questions level with it: the counters of
/// this process, the shared store, the near-limit index.
package final class UsageTracker: UsageObserver {
    private let board: CounterBoard
    private let index: NearLimitIndex
    private let shared: SharedCounterSync?
    private let queries: any LedgerQueries
    private let clock: WallClock

    package init(
        board: CounterBoard, index: NearLimitIndex, shared: SharedCounterSync?,
        queries: any LedgerQueries, clock: WallClock
    ) {
        self.board = board
        self.index = index
        self.shared = shared
        self.queries = queries
        self.clock = clock
    }

    package func usageCommitted(_ usage: CommittedUsage) {
        let snapshot = board.catalog.load()
        var deltas: [CounterBatch.Delta] = []
        for change in usage.changes {
            guard let customer = snapshot.customerIndex(change.key.customer),
                let meter = snapshot.meterIndex(change.key.meter)
            else { continue }
            let owner = snapshot.customers[customer]
            for quotaIndex in owner.quotas(ofMeter: meter) {
                let quota = snapshot.quotas[quotaIndex]
                let located = CounterBoard.Located(
                    snapshot: snapshot, customer: customer, quota: quota,
                    key: CounterBoard.key(quota, snapshot.hash))
                board.apply(
                    change, located, admittedHere: usage.admittedHere[change.key] ?? 0)
                note(change.key.period, change.after, located)
            }
            if shared != nil { deltas.append(Self.delta(change, root: owner.root)) }
        }
        shared?.apply(
            CounterBatch(
                partition: usage.partition, epoch: usage.epoch, baseOffset: usage.baseOffset,
                nextOffset: usage.nextOffset, deltas: deltas))
    }

    package func partitionsClaimed(_ claims: [PartitionClaim]) {
        board.forgetAll()
        refillIndex()
        shared?.requestRebuild()
    }

    package var wantsRebuild: Bool { shared?.needsRebuild ?? false }

    package func rebuild(positions: [PartitionClaim]) {
        shared?.rebuild(positions: positions) { () throws(LedgerError) in
            try sharedCounters()
        }
    }

    /// Fills the near-limit index from the ledger (start-up, takeover, new catalog).
    package func refillIndex() {
        index.removeAll()
        let snapshot = board.catalog.load()
        try? queries.liveUsage(endingAfter: clock.now()) { stored in
            guard let customer = snapshot.customerIndex(stored.key.customer),
                let meter = snapshot.meterIndex(stored.key.meter)
            else { return }
            for quotaIndex in snapshot.customers[customer].quotas(ofMeter: meter) {
                let quota = snapshot.quotas[quotaIndex]
                let located = CounterBoard.Located(
                    snapshot: snapshot, customer: customer, quota: quota,
                    key: CounterBoard.key(quota, snapshot.hash))
                note(stored.key.period, stored.state, located)
            }
        }
    }

    /// What the shared store must contain: the ledger, and what is admitted or held beyond it.
    private func sharedCounters() throws(LedgerError) -> [SharedCounter] {
        let snapshot = board.catalog.load()
        var outstanding = board.outstanding()
        var counters: [SharedCounter] = []
        try queries.liveUsage(endingAfter: clock.now().adding(seconds: -3 * 86_400)) { stored in
            guard let customer = snapshot.customerIndex(stored.key.customer) else { return }
            let owner = snapshot.customers[customer]
            var granted = stored.admitted
            if let meter = snapshot.meterIndex(stored.key.meter) {
                for quotaIndex in owner.quotas(ofMeter: meter) {
                    let key = CounterBoard.key(snapshot.quotas[quotaIndex], snapshot.hash)
                    guard let extra = outstanding[key], extra.period == stored.key.period else {
                        continue
                    }
                    granted = granted.addingSaturated(extra.units)
                    outstanding[key] = nil
                }
            }
            let used = stored.state.reading(stored.aggregation)
            counters.append(
                SharedCounter(
                    key: Self.key(stored.key, owner.root), used: used,
                    observed: used - stored.admitted, granted: granted))
        }
        // Admitted or held in a period that has no usage row yet.
        for quota in snapshot.quotas {
            let key = CounterBoard.key(quota, snapshot.hash)
            guard let extra = outstanding[key],
                let customer = snapshot.customerIndex(quota.customer)
            else { continue }
            let row = UsageKey(customer: quota.customer, meter: quota.meter, period: extra.period)
            counters.append(
                SharedCounter(
                    key: Self.key(row, snapshot.customers[customer].root), used: 0, observed: 0,
                    granted: extra.units))
        }
        return counters
    }

    private static func delta(_ change: UsageChange, root: CustomerID) -> CounterBatch.Delta {
        let before = change.before.reading(change.aggregation)
        let after = change.after.reading(change.aggregation)
        let admitted = change.admittedAfter - change.admittedBefore
        let isAdditive = change.aggregation.isAdditive
        return CounterBatch.Delta(
            key: key(change.key, root), isAdditive: isAdditive,
            used: isAdditive ? after - before : after,
            observed: isAdditive ? after - before - admitted : after)
    }

    private static func key(_ row: UsageKey, _ root: CustomerID) -> SharedCounterKey {
        SharedCounterKey(root: root, customer: row.customer, meter: row.meter, period: row.period)
    }

    // MARK: near-limit

    private func note(_ period: Period, _ state: UsageState, _ located: CounterBoard.Located) {
        let quota = located.quota
        let owner = located.snapshot.customers[located.customer]
        guard let limit = quota.limit.finite, limit > 0,
            quota.rule.period(containing: clock.now(), zone: owner.zone) == period
        else { return }
        let used = state.reading(quota.aggregation)
        let entry = NearLimitEntry(
            customer: quota.customer, feature: quota.feature, plan: owner.plan?.rawValue ?? "",
            used: used, limit: limit, scale: quota.scale,
            shareBasisPoints: Self.share(used, limit), period: period, timeZone: owner.zone.name,
            enforcement: quota.enforcement,
            projectedExhaustion: projection(used: used, limit: limit, period))
        index.update(located.key, entry)
    }

    /// used / limit in basis points, without leaving Int64.
    static func share(_ used: Int64, _ limit: Int64) -> Int64 {
        if used <= 0 { return 0 }
        let (product, overflow) = used.multipliedReportingOverflow(by: 10_000)
        return overflow ? used / max(1, limit / 10_000) : product / limit
    }

    /// The run rate of the period so far, carried on; nil when that does not reach the limit.
    private func projection(used: Int64, limit: Int64, _ period: Period) -> Timestamp? {
        let now = clock.now()
        let elapsed = now.microseconds(since: period.start) / 1_000_000
        guard used > 0, used < limit, elapsed > 0, period != .lifetime else { return nil }
        let (high, low) = elapsed.multipliedFullWidth(by: limit)
        guard high < used else { return nil }
        let seconds = used.dividingFullWidth((high, low)).quotient
        let (micros, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        if overflow { return nil }
        let at = Timestamp(microseconds: period.start.microseconds.addingSaturated(micros))
        return at < period.end ? at : nil
    }
}
