package import Entitlements
package import MeteringModel
package import MeteringPorts
import Synchronization

/// The limit in force of a quota: its allowance and, where it has grants, what is left of them by
/// the usage that the ledger has. Quotas without grants cost nothing here.
package final class LimitResolver: Sendable {
    package struct Resolved: Sendable, Hashable {
        package var limit: Limit
        /// The limit is the same in [from, until), unless earlier usage changes.
        package var from: Timestamp
        package var until: Timestamp
    }

    private struct Entry {
        var owner: CompiledCustomer
        var period: Period
        var resolved: Resolved
    }

    private let catalog: CurrentCatalog
    private let queries: any LedgerQueries
    private struct State {
        var entries: [CustomerID: [FeatureKey: Entry]] = [:]
        /// Folds under way, by customer; one that is not here any more when it is done has read
        /// usage that changed meanwhile, and is not remembered.
        var folds: [CustomerID: UInt64] = [:]
        var foldCount: UInt64 = 0
    }

    private let state = Mutex<State>(State())
    /// Whether nothing is known or under way.
    private let isIdle = Atomic<Bool>(true)
    private static let entryCountMax = 100_000
    /// Intervals that are looked back upon; older usage leaves grants as they were given.
    private static let intervalCountMax = 2_000

    package init(catalog: CurrentCatalog, queries: any LedgerQueries) {
        self.catalog = catalog
        self.queries = queries
    }

    /// The limit of a quota at an instant of one of its periods.
    /// - Parameters:
    ///   - quota: as the contract has it at that instant.
    ///   - snapshot: the catalog with that contract; nil: the one in force.
    package func resolve(
        _ quota: Quota, _ period: Period, at instant: Timestamp, in snapshot: CatalogSnapshot? = nil
    ) throws(LedgerError) -> Resolved {
        let plain = Resolved(limit: quota.limit, from: period.start, until: period.end)
        let snapshot = snapshot ?? catalog.load()
        guard let number = snapshot.customerIndex(quota.customer),
            let featureNumber = snapshot.definitions.featureNumber(quota.feature)
        else { return plain }
        let owner = snapshot.customer(number)
        let segment = owner.segment(at: instant)
        var resolved = plain
        resolved.from = max(period.start, segment.start)
        resolved.until = min(period.end, segment.end)
        guard Self.hasGrants(quota, period, owner, segment, featureNumber) else {
            return resolved
        }
        if !quota.aggregation.isAdditive {
            // Such readings do not add up over intervals, so nothing of them is used up.
            resolved.limit = quota.grants.reduce(quota.limit) { limit, grant in
                limit.finite.map { .finite($0.addingSaturated(max(0, grant.terms.amount))) }
                    ?? .unlimited
            }
            return resolved
        }
        let (customer, feature) = (quota.customer, quota.feature)
        let from = resolved.from
        let (known, foldNumber) = state.withLock { state -> (Resolved?, UInt64) in
            if let known = state.entries[customer]?[feature], known.owner === owner,
                known.period == period, known.resolved.from == from
            {
                return (known.resolved, 0)
            }
            isIdle.store(false, ordering: .releasing)
            state.foldCount += 1
            state.folds[customer] = state.foldCount
            return (nil, state.foldCount)
        }
        if let known { return known }
        do throws(LedgerError) {
            resolved.limit = try fold(quota, owner, featureNumber, to: from)
        } catch {
            state.withLock { if $0.folds[customer] == foldNumber { $0.folds[customer] = nil } }
            throw error
        }
        let entry = Entry(owner: owner, period: period, resolved: resolved)
        state.withLock { Self.remember(entry, customer, feature, foldNumber, &$0) }
        return resolved
    }

    private static func remember(
        _ entry: Entry, _ customer: CustomerID, _ feature: FeatureKey, _ fold: UInt64,
        _ state: inout State
    ) {
        guard state.folds[customer] == fold else { return }
        state.folds[customer] = nil
        // Questions about the past do not push out what is asked all the time.
        if let known = state.entries[customer]?[feature], known.owner === entry.owner,
            known.resolved.from > entry.resolved.from
        {
            return
        }
        if state.entries.count >= entryCountMax { state.entries.removeAll() }
        state.entries[customer, default: [:]][feature] = entry
    }

    /// For whoever needs the limit alone, under the catalog in force.
    package var limit: @Sendable (Quota, Period, Timestamp) -> Limit { rule(in: nil) }

    /// The limits under a catalog (nil: the one in force); the allowance alone where the ledger
    /// cannot be read.
    package func rule(
        in snapshot: CatalogSnapshot?
    ) -> @Sendable (Quota, Period, Timestamp) -> Limit {
        { quota, period, instant in
            do throws(LedgerError) {
                return try self.resolve(quota, period, at: instant, in: snapshot).limit
            } catch {
                return quota.limit
            }
        }
    }

    /// Usage of a period has changed. True when the limit that is known of the quota may be another
    /// by that: it is resolved anew when it is next asked for.
    package func usageChanged(
        _ customer: CustomerID, _ feature: FeatureKey, _ period: Period
    ) -> Bool {
        if isIdle.load(ordering: .acquiring) { return false }
        return state.withLock { state in
            let isFolding = state.folds.removeValue(forKey: customer) != nil
            guard let known = state.entries[customer]?[feature],
                period.start < known.resolved.from
            else { return isFolding }
            state.entries[customer]?[feature] = nil
            return true
        }
    }

    package func forget(_ customer: CustomerID) {
        if isIdle.load(ordering: .acquiring) { return }
        state.withLock { state in
            state.entries[customer] = nil
            state.folds[customer] = nil
        }
    }

    package func forgetAll() {
        state.withLock { state in
            state.entries.removeAll()
            state.folds.removeAll()
        }
    }

    // MARK: intervals

    /// Whether grants bear on the limit: those in force, and those that lapsed in this period.
    private static func hasGrants(
        _ quota: Quota, _ period: Period, _ owner: CompiledCustomer,
        _ segment: EntitlementSegment, _ feature: Int
    ) -> Bool {
        if !quota.grants.isEmpty { return true }
        var segment = segment
        while segment.start > period.start {
            segment = owner.segment(at: segment.start.justBefore)
            if let position = segment.quotaPosition(ofFeature: feature),
                !segment.quota(position).grants.isEmpty
            {
                return true
            }
        }
        return false
    }

    /// Folds usage from the first grant on, up to the interval that holds `instant`. The limit of an
    /// interval follows from the usage before it.
    private func fold(
        _ quota: Quota, _ owner: CompiledCustomer, _ feature: Int, to instant: Timestamp
    ) throws(LedgerError) -> Limit {
        let intervals = owner.grantIntervals(feature: feature, through: instant)
            .suffix(Self.intervalCountMax)
        var account = GrantAccount()
        var period: Period?
        var rest: Int64 = 0
        for index in intervals.indices {
            var interval = intervals[index]
            if instant < interval.end { return account.advance(interval).limit }
            if interval.period != period {
                period = interval.period
                let row = UsageKey(
                    customer: quota.customer, meter: quota.meter, period: interval.period)
                rest = try queries.usage(row)?.state.reading(quota.aggregation) ?? 0
            }
            // The last part of a period has the rest, so that all sum up to the usage row.
            let next = index + 1
            let isLast = next == intervals.endIndex || intervals[next].period != interval.period
            interval.used =
                isLast
                ? rest : try usage(quota, owner, from: interval.start, to: intervals[next].start)
            rest = rest.subtractingSaturated(interval.used)
            _ = account.advance(interval)
        }
        return quota.limit
    }

    /// Units used in an interval, by the rollups; exact, as hours are cut where intervals meet.
    private func usage(
        _ quota: Quota, _ owner: CompiledCustomer, from start: Timestamp, to end: Timestamp
    ) throws(LedgerError) -> Int64 {
        let reading = RollupReading(
            quota.customer, quota.meter, quota.aggregation, zone: owner.zone,
            kept: try queries.rollupsKept()
        ) { [queries] (query) throws(LedgerError) in try queries.rollups(query) }
        return try reading.state(from: start, to: end).reading(quota.aggregation)
    }
}

extension Timestamp {
    /// The last instant before this one.
    var justBefore: Timestamp { Timestamp(microseconds: microseconds - 1) }
}
