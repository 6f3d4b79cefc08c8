package import Entitlements
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
    /// Changed customers whose usage is asked for one by one.
    private static let askedCountMax = 10_000

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
        let now = clock.now()
        var deltas: [CounterBatch.Delta] = []
        for change in usage.changes {
            guard let number = snapshot.customerIndex(change.key.customer),
                let meter = snapshot.meterIndex(change.key.meter)
            else { continue }
            let admittedHere = usage.admittedHere[change.key] ?? 0
            let isFollowed = follow(
                change, snapshot, snapshot.customer(number), meter, admittedHere, now)
            if !isFollowed, admittedHere > 0 {
                board.applyToOrphans(change.key, admittedHere: admittedHere)
            }
            if shared != nil {
                let root = snapshot.customer(snapshot.root(of: number, at: now)).id
                deltas.append(Self.delta(change, root: root))
            }
        }
        for change in usage.corrected {
            guard let number = level(change, snapshot, now), shared != nil else { continue }
            let root = snapshot.customer(snapshot.root(of: number, at: now)).id
            deltas.append(Self.delta(change, root: root))
        }
        shared?.apply(
            CounterBatch(
                partition: usage.partition, epoch: usage.epoch, baseOffset: usage.baseOffset,
                nextOffset: usage.nextOffset, deltas: deltas))
    }

    package func usageRecounted(_ changes: [UsageChange]) {
        let snapshot = board.catalog.load()
        let now = clock.now()
        for change in changes { _ = level(change, snapshot, now) }
        // There is no stretch of the log that these belong to, by which it would know them.
        if !changes.isEmpty { shared?.requestRebuild() }
    }

    /// Counters and the near-limit list take over what a correction has left of a row.
    /// - Returns: the customer's number; nil when there is no such customer or meter any more.
    private func level(
        _ change: UsageChange, _ snapshot: CatalogSnapshot, _ now: Timestamp
    ) -> Int? {
        guard let number = snapshot.customerIndex(change.key.customer),
            let meter = snapshot.meterIndex(change.key.meter)
        else { return nil }
        let owner = snapshot.customer(number)
        let current = owner.segment(at: now)
        var seen: Set<UInt64> = []
        for segment in owner.segments {
            for position in segment.quotas(ofMeter: meter) {
                let located = CounterBoard.Located(snapshot, segment, quota: position, now: now)
                guard seen.insert(located.key).inserted else { continue }
                _ = board.limits.usageChanged(owner.id, located.quota.feature, change.key.period)
                board.level(located.key)
                if segment == current { note(change.key.period, change.after, located) }
            }
        }
        return number
    }

    /// Brings every counter level that counts the changed row: those of all segments that the
    /// period has seen, since a quota that has just ended, or comes back later, must not miss what
    /// is committed in between.
    /// - Returns: whether there is such a counter.
    private func follow(
        _ change: UsageChange, _ snapshot: CatalogSnapshot, _ owner: CompiledCustomer,
        _ meter: Int, _ admittedHere: Int64, _ now: Timestamp
    ) -> Bool {
        let period = change.key.period
        var isFollowed = false
        var instant = max(period.start, min(now, period.end.adding(seconds: -1)))
        let current = owner.segment(at: now)
        if period.end <= now {
            // Late usage may have used up grants that later periods count on.
            for position in current.quotas(ofMeter: meter) {
                let located = CounterBoard.Located(snapshot, current, quota: position, now: now)
                if board.limits.usageChanged(owner.id, located.quota.feature, period) {
                    board.reconsider(located.key)
                }
            }
        }
        while true {
            let segment = owner.segment(at: instant)
            for position in segment.quotas(ofMeter: meter) {
                let located = CounterBoard.Located(snapshot, segment, quota: position, now: now)
                let isLate = board.limits.usageChanged(owner.id, located.quota.feature, period)
                if board.apply(change, located, admittedHere: admittedHere, isLate: isLate) {
                    isFollowed = true
                }
                if segment == current { note(period, change.after, located) }
            }
            if segment.start <= period.start { return isFollowed }
            instant = segment.start.justBefore
        }
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

    // MARK: near-limit

    /// Fills the near-limit index from the ledger (start-up, takeover).
    package func refillIndex() {
        index.removeAll()
        let snapshot = board.catalog.load()
        let now = clock.now()
        // Limits with grants are resolved by queries, which must not run inside this one.
        var withGrants: [StoredUsage] = []
        try? queries.liveUsage(endingAfter: now) { stored in
            if !note(stored, snapshot, now, resolvesGrants: false) { withGrants.append(stored) }
        }
        for stored in withGrants { note(stored, snapshot, now, resolvesGrants: true) }
    }

    /// Takes a new catalog over for the customers that changed in it. Called between two commits,
    /// after the snapshot was replaced and the board has adopted it.
    package func refresh(changed: [Int], from old: CatalogSnapshot) {
        let snapshot = board.catalog.load()
        let now = clock.now()
        var isMoved = false
        // Of so many, reading all usage once costs less than asking for each.
        let refillsAll = changed.count > Self.askedCountMax
        if refillsAll { refillIndex() }
        for number in changed {
            if number < old.customerCount {
                isMoved =
                    isMoved || old.root(of: number, at: now) != snapshot.root(of: number, at: now)
            }
            if refillsAll { continue }
            if number < old.customerCount {
                for segment in old.customer(number).segments {
                    for quota in segment.quotas { index.remove(CounterBoard.key(quota, old.hash)) }
                }
            }
            let owner = snapshot.customer(number)
            let segment = owner.segment(at: now)
            for position in 0..<segment.quotaCount where !owner.isRemoved {
                let located = CounterBoard.Located(snapshot, segment, quota: position, now: now)
                let period = located.quota.rule.period(containing: now, zone: owner.zone)
                let row = UsageKey(
                    customer: located.quota.customer, meter: located.quota.meter, period: period)
                guard let stored = try? queries.usage(row) else { continue }
                note(period, stored.state, located)
            }
        }
        // The root decides where the shared store has a customer's counters.
        if isMoved { shared?.requestRebuild() }
    }

    /// - Returns: false when it was left out for its grants.
    @discardableResult
    private func note(
        _ stored: StoredUsage, _ snapshot: CatalogSnapshot, _ now: Timestamp, resolvesGrants: Bool
    ) -> Bool {
        guard let number = snapshot.customerIndex(stored.key.customer),
            let meter = snapshot.meterIndex(stored.key.meter)
        else { return true }
        let segment = snapshot.customer(number).segment(at: now)
        var isComplete = true
        for position in segment.quotas(ofMeter: meter) {
            let located = CounterBoard.Located(snapshot, segment, quota: position, now: now)
            if resolvesGrants || located.quota.grants.isEmpty {
                note(stored.key.period, stored.state, located)
            } else {
                isComplete = false
            }
        }
        return isComplete
    }

    private func note(_ period: Period, _ state: UsageState, _ located: CounterBoard.Located) {
        let quota = located.quota
        let owner = located.owner
        guard quota.rule.period(containing: located.now, zone: owner.zone) == period,
            let resolved = try? board.limits.resolve(quota, period, at: located.now),
            let limit = resolved.limit.finite, limit > 0
        else { return }
        let used = state.reading(quota.aggregation)
        let entry = NearLimitEntry(
            customer: quota.customer, feature: quota.feature,
            plan: located.segment.plan?.rawValue ?? "", used: used, limit: limit,
            scale: quota.scale, shareBasisPoints: used.share(of: limit), period: period,
            timeZone: owner.zone.name, enforcement: quota.enforcement,
            projectedExhaustion: projection(used: used, limit: limit, period), owner: owner.owner)
        index.update(located.key, entry)
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

    // MARK: the shared store

    /// What the shared store must contain: the ledger, and what is admitted or held beyond it.
    private func sharedCounters() throws(LedgerError) -> [SharedCounter] {
        let snapshot = board.catalog.load()
        let now = clock.now()
        var outstanding: [UsageKey: Int64] = [:]
        for (units, row) in board.outstanding().values {
            outstanding[row] = (outstanding[row] ?? 0).addingSaturated(units)
        }
        var counters: [SharedCounter] = []
        try queries.liveUsage(endingAfter: now.adding(seconds: -3 * 86_400)) { stored in
            guard let number = snapshot.customerIndex(stored.key.customer) else { return }
            let root = snapshot.customer(snapshot.root(of: number, at: now)).id
            let used = stored.state.reading(stored.aggregation)
            let extra = outstanding.removeValue(forKey: stored.key) ?? 0
            counters.append(
                SharedCounter(
                    key: Self.key(stored.key, root), used: used, observed: used - stored.admitted,
                    granted: stored.admitted.addingSaturated(extra)))
        }
        // Admitted or held in a period that has no usage row yet.
        for (row, units) in outstanding {
            guard let number = snapshot.customerIndex(row.customer) else { continue }
            let root = snapshot.customer(snapshot.root(of: number, at: now)).id
            counters.append(
                SharedCounter(key: Self.key(row, root), used: 0, observed: 0, granted: units))
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
}
