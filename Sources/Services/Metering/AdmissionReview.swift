import Entitlements
import MeteringModel
import MeteringPorts

/// Which admissions on record the entitlements would refuse as they are now.
///
/// An admission is refused where its feature is denied, and where the admissions of its period, in
/// the order they were made, had used the quota up before it. Usage that came by events is left
/// out of that sum, and admissions charged to an ancestor's quota are judged by denial alone.
struct AdmissionReview {
    let old: CatalogSnapshot
    let new: CatalogSnapshot
    let limit: LimitRule

    private struct Bucket: Hashable {
        var feature: FeatureKey
        var period: Period
    }

    /// Where to begin reading so that the sums of the periods around `since` are whole.
    func start(_ number: Int, _ since: Timestamp) -> Timestamp {
        let owner = new.customer(number)
        return owner.segment(at: since).quotas.reduce(since) { start, quota in
            min(start, quota.rule.period(containing: since, zone: owner.zone).start)
        }
    }

    /// - Parameter admissions: the customer's, from `start` on, oldest first.
    func refused(
        _ number: Int, _ admissions: [AdmissionRecord], since: Timestamp
    ) -> [AdmissionRecord] {
        let owner = new.customer(number)
        var taken: [Bucket: Int64] = [:]
        return admissions.filter { record in
            let at = record.admittedAt
            let isAsked = at >= since && hasChanged(number, record.feature, at)
            guard let entitlement = new.entitlement(of: number, record.feature, at: at),
                case .metered(let position) = entitlement.value
            else { return isAsked && !wasDenied(number, record.feature, at) }
            guard entitlement.holder == number else { return false }
            let quota = owner.segment(at: at).quota(position)
            let period = quota.rule.period(containing: at, zone: owner.zone)
            let bucket = Bucket(feature: record.feature, period: period)
            let sum = (taken[bucket] ?? 0).addingSaturated(record.quantity)
            if isAsked, let stop = stop(quota, period, at), sum > stop { return true }
            taken[bucket] = sum
            return false
        }
    }

    /// Usage beyond which nothing is let through; nil when there is no such thing.
    private func stop(_ quota: Quota, _ period: Period, _ at: Timestamp) -> Int64? {
        guard let units = limit(quota, period, at).finite else { return nil }
        switch quota.enforcement {
        case .soft: return quota.overageMax.map { units.addingSaturated($0) }
        case .hard:
            guard let grace = quota.grace else { return units }
            // Days alone: whether they had gone by cannot be told from admissions.
            guard let more = grace.units else { return grace.days == nil ? units : nil }
            return units.addingSaturated(more)
        }
    }

    private func hasChanged(_ number: Int, _ feature: FeatureKey, _ at: Timestamp) -> Bool {
        guard number < old.customerCount else { return false }
        let before = old.entitlement(of: number, feature, at: at)
        let after = new.entitlement(of: number, feature, at: at)
        guard let before, let after else { return (before == nil) != (after == nil) }
        if case .denied = before.value { return false }
        if case .denied = after.value { return true }
        return !TimelineChange.areSame(quota(before, old, at), quota(after, new, at))
    }

    private func wasDenied(_ number: Int, _ feature: FeatureKey, _ at: Timestamp) -> Bool {
        guard let before = old.entitlement(of: number, feature, at: at) else { return true }
        if case .denied = before.value { return true }
        return false
    }

    private func quota(
        _ entitlement: CompiledEntitlement, _ snapshot: CatalogSnapshot, _ at: Timestamp
    ) -> Quota? {
        entitlement.quota.map {
            snapshot.customer(entitlement.holder).segment(at: at).quota($0)
        }
    }
}
