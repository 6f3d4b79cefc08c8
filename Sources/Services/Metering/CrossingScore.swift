import Entitlements
package import MeteringModel
import MeteringPorts
import QuotaEngine

/// The limit of a quota in a period as of an instant, grants included.
package typealias LimitRule = @Sendable (Quota, Period, Timestamp) -> Limit

/// Names the thresholds that changes of usage cross, by the quotas in force when it was made.
struct CrossingScore {
    let snapshot: CatalogSnapshot
    let limit: LimitRule

    /// - Parameter instant: when the change was made known: the log's time.
    func crossings(of change: UsageChange, at instant: Timestamp) -> [Crossing] {
        guard let number = snapshot.customerIndex(change.key.customer),
            let meter = snapshot.meterIndex(change.key.meter)
        else { return [] }
        let owner = snapshot.customer(number)
        let segment = owner.segment(at: change.scoredAt)
        var crossings: [Crossing] = []
        for index in segment.quotas(ofMeter: meter) {
            let period = segment.rule(ofQuota: index)
                .period(containing: change.scoredAt, zone: owner.zone)
            guard period == change.key.period, mayCross(segment, index, change) else { continue }
            var quota = segment.quota(index)
            quota.limit = limit(quota, period, change.scoredAt)
            crossings += QuotaRules.crossings(
                quota: quota, period: period, before: change.before.reading(quota.aggregation),
                after: change.after.reading(quota.aggregation), at: instant)
        }
        return crossings
    }

    /// False when the usage is below every level of the quota. Grants only add to a limit, so that
    /// most changes need not ask for it.
    private func mayCross(
        _ segment: EntitlementSegment, _ index: Int, _ change: UsageChange
    ) -> Bool {
        guard case .metered(let quota, _) = segment.quotaEntitlement(index).value else {
            return false
        }
        let after = change.after.reading(quota.aggregation)
        if after <= change.before.reading(quota.aggregation) { return false }
        for threshold in quota.thresholds {
            if let level = threshold.level(of: quota.limit), level <= after { return true }
        }
        return quota.limit.finite.map { $0 <= after } ?? false
    }
}

extension Sequence<UsageChange> {
    /// One change per row, from what it was first to what it is last, in order of appearance.
    func mergedByRow() -> [UsageChange] {
        var merged: [UsageChange] = []
        var indexes: [UsageKey: Int] = [:]
        for change in self {
            if let index = indexes[change.key] {
                merged[index].after = change.after
                merged[index].admittedAfter = change.admittedAfter
                merged[index].admittedHere += change.admittedHere
                merged[index].scoredAt = change.scoredAt
            } else {
                indexes[change.key] = merged.count
                merged.append(change)
            }
        }
        return merged
    }
}
