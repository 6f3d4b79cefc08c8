import Entitlements
import MeteringModel
import MeteringPorts
import QuotaEngine

/// What a new catalog does to crossings: those whose limit was raised above the usage are resolved,
/// and a limit lowered below it is crossed at once.
enum CrossingResolution {
    static func follow(
        from old: CatalogSnapshot, to next: CatalogSnapshot,
        ledger: any LedgerControl & LedgerQueries, now: Timestamp
    ) throws {
        try resolve(next, ledger: ledger, now: now)
        try crossLowered(from: old, to: next, ledger: ledger, now: now)
    }

    private struct Owned: Hashable {
        var customer: CustomerID
        var feature: FeatureKey
    }

    private static func crossLowered(
        from old: CatalogSnapshot, to next: CatalogSnapshot,
        ledger: any LedgerControl & LedgerQueries, now: Timestamp
    ) throws {
        var before: [Owned: Quota] = [:]
        for quota in old.quotas {
            before[Owned(customer: quota.customer, feature: quota.feature)] = quota
        }
        var found: [Crossing] = []
        for quota in next.quotas {
            guard let past = before[Owned(customer: quota.customer, feature: quota.feature)],
                past.limit != quota.limit || past.thresholds != quota.thresholds,
                let customer = next.customerIndex(quota.customer)
            else { continue }
            let zone = next.customers[customer].zone
            let period = quota.rule.period(containing: now, zone: zone)
            let row = UsageKey(customer: quota.customer, meter: quota.meter, period: period)
            guard let stored = try ledger.usage(row) else { continue }
            let used = stored.state.reading(quota.aggregation)
            let crossed = QuotaRules.crossings(
                quota: quota, period: period, before: 0, after: used, at: now)
            if crossed.isEmpty { continue }
            let open = try openLabels(quota, period, ledger)
            found += crossed.filter { !open.contains($0.threshold.label) }
        }
        if !found.isEmpty { try ledger.recordCrossings(found) }
    }

    /// Thresholds of a quota that stand crossed already; they are not announced a second time.
    private static func openLabels(
        _ quota: Quota, _ period: Period, _ ledger: any LedgerQueries
    ) throws -> Set<String> {
        var labels: Set<String> = []
        var after: Int64 = 0
        while true {
            let page = try ledger.crossings(
                customer: quota.customer, since: nil, after: after, limit: 1_000)
            guard let last = page.last else { return labels }
            after = last.sequence
            for stored in page
            where stored.crossing.feature == quota.feature && stored.crossing.period == period
                && stored.crossing.resolvedAt == nil
            {
                labels.insert(stored.crossing.threshold.label)
            }
        }
    }

    private static func resolve(
        _ snapshot: CatalogSnapshot, ledger: any LedgerControl & LedgerQueries, now: Timestamp
    ) throws {
        var after: Int64 = 0
        var resolved: [String] = []
        while true {
            let page = try ledger.crossings(customer: nil, since: nil, after: after, limit: 1_000)
            guard let last = page.last else { break }
            after = last.sequence
            for stored in page where stored.crossing.resolvedAt == nil {
                if try isMoot(stored.crossing, snapshot, ledger, now) {
                    resolved.append(stored.crossing.id)
                }
            }
        }
        if !resolved.isEmpty { try ledger.resolveCrossings(resolved, at: now) }
    }

    private static func isMoot(
        _ crossing: Crossing, _ snapshot: CatalogSnapshot, _ ledger: any LedgerQueries,
        _ now: Timestamp
    ) throws -> Bool {
        guard crossing.period.end > now else { return false }
        guard let customer = snapshot.customerIndex(crossing.customer),
            let index = snapshot.quotaIndex(customer: customer, feature: crossing.feature)
        else { return true }
        let quota = snapshot.quotas[index]
        guard let level = crossing.threshold.level(of: quota.limit) else { return true }
        let row = UsageKey(
            customer: crossing.customer, meter: crossing.meter, period: crossing.period)
        let used = try ledger.usage(row)?.state.reading(quota.aggregation) ?? 0
        return used < level
    }
}
