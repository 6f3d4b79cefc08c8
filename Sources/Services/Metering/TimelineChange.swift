import Entitlements
import MeteringModel

/// One customer's quotas before and after a change of its contract.
struct TimelineChange {
    let old: CompiledCustomer?
    let new: CompiledCustomer

    /// A stretch of time in which a feature's quota is another one now.
    struct Span {
        var start: Timestamp
        var end: Timestamp
        /// The zones are the customer's before and after.
        var before: Quota?
        var after: Quota?
    }

    /// - Returns: by feature, the stretches within [from, to) in which its quota changed, ascending.
    func spans(from: Timestamp, to: Timestamp) -> [FeatureKey: [Span]] {
        guard from < to else { return [:] }
        var starts: Set<Timestamp> = [from]
        for owner in [old, new] {
            for segment in owner?.segments ?? []
            where segment.start > from && segment.start < to {
                starts.insert(segment.start)
            }
        }
        let sorted = starts.sorted()
        let isOtherZone = old.map { $0.zone.name != new.zone.name } ?? false
        var spans: [FeatureKey: [Span]] = [:]
        for (index, start) in sorted.enumerated() {
            let end = index + 1 < sorted.count ? sorted[index + 1] : to
            let before = Self.quotas(of: old, at: start)
            let after = Self.quotas(of: new, at: start)
            for feature in Set(before.keys).union(after.keys)
            where isOtherZone || !Self.areSame(before[feature], after[feature]) {
                spans[feature, default: []].append(
                    Span(
                        start: start, end: end, before: before[feature], after: after[feature]))
            }
        }
        return spans
    }

    /// Whether both count and stop alike; that another record says so makes no difference.
    static func areSame(_ left: Quota?, _ right: Quota?) -> Bool {
        guard var left, var right else { return left == nil && right == nil }
        left.source = ""
        right.source = ""
        return left == right
    }

    static func quotas(of owner: CompiledCustomer?, at: Timestamp) -> [FeatureKey: Quota] {
        guard let segment = owner?.segment(at: at) else { return [:] }
        var quotas: [FeatureKey: Quota] = [:]
        for quota in segment.quotas { quotas[quota.feature] = quota }
        return quotas
    }

    static func quota(
        of owner: CompiledCustomer?, _ feature: FeatureKey, at: Timestamp
    ) -> Quota? {
        guard let segment = owner?.segment(at: at) else { return nil }
        for index in 0..<segment.quotaCount
        where segment.quotaEntitlement(index).feature == feature {
            return segment.quota(index)
        }
        return nil
    }

    /// The quota that counts in `period` at `at`; nil when the feature has another period then.
    static func quota(
        of owner: CompiledCustomer?, _ feature: FeatureKey, in period: Period, at: Timestamp
    ) -> Quota? {
        guard let owner, let quota = quota(of: owner, feature, at: at),
            quota.rule.period(containing: at, zone: owner.zone) == period
        else { return nil }
        return quota
    }

    /// Every period, old and new, that a changed quota counts in during `spans`, ascending.
    func periods(_ spans: [Span]) -> [Period] {
        var periods: Set<Period> = []
        for span in spans {
            for (owner, quota) in [(old, span.before), (new, span.after)] {
                guard let owner, let quota else { continue }
                var at = span.start
                while at < span.end {
                    let period = quota.rule.period(containing: at, zone: owner.zone)
                    periods.insert(period)
                    at = period.end
                }
            }
        }
        return periods.sorted { ($0.start, $0.end) < ($1.start, $1.end) }
    }

    /// Periods around [from, to] that the new timeline keeps a row of and the old one did not.
    /// - Parameters:
    ///   - daysFrom: where periods of a day and longer are looked for; nil: `from`.
    ///   - wasCounted: whether the old timeline kept a row.
    func newlyCounted(
        meter: Int, from: Timestamp, daysFrom: Timestamp? = nil, to: Timestamp,
        wasCounted: (Period) -> Bool
    ) -> [Period] {
        var rules: Set<PeriodRule> = []
        for segment in new.segments {
            for index in segment.quotas(ofMeter: meter) {
                rules.insert(segment.rule(ofQuota: index))
            }
        }
        var periods: Set<Period> = []
        for rule in rules {
            // There are no quotas of old hours to be told of any more.
            var at = rule.unit == .hour ? from : daysFrom ?? from
            while at <= to {
                let period = rule.period(containing: at, zone: new.zone)
                if Segments.counts(period, of: new, meter: meter), !wasCounted(period) {
                    periods.insert(period)
                }
                at = period.end
            }
        }
        return periods.sorted { ($0.start, $0.end) < ($1.start, $1.end) }
    }
}
