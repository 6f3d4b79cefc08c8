public import MeteringModel

/// What a quota's numbers mean: may this go through, which thresholds were crossed. Pure: the same
/// input gives the same answer. Sums are 128 bits wide, so no `Int64` input overflows; results
/// outside of `Int64` are brought to its bounds.
public enum QuotaRules {
    /// The decision on `quantity` more units, with `used` and `held` units already gone.
    ///
    /// - Hard: allowed when used + held + quantity is within the limit. Otherwise the reason is
    ///   `held` when it would fit without the held units, else `exhausted`.
    /// - Soft: allowed; `overage` when used + quantity is past the limit.
    /// - Unlimited: allowed; remaining is `Int64.max`, overage 0.
    /// - An allowed quantity that is not overage is a `warning` when used + quantity stands at or
    ///   above one of the quota's thresholds, else `ok`.
    ///
    /// The parameters after `period` are passed on to the decision unchanged. `held` below 0 counts
    /// as 0, as does a limit below 0.
    public static func decide(
        quota: Quota, reading used: Int64, held: Int64, quantity: Int64, period: Period,
        mode: DecisionMode = .exact, usageCompleteTo: Timestamp? = nil, timeZone: String = "UTC",
        overrunBound: Int64 = 0, upgradeHint: String? = nil
    ) -> Decision {
        let held = Swift.max(held, 0)
        let wanted = Int128(used) + Int128(quantity)
        var decision = Decision(
            isAllowed: true, reason: .ok, customer: quota.customer, feature: quota.feature,
            quantity: quantity, scale: quota.scale, limit: quota.limit, used: used, held: held,
            remaining: .max, period: period,
            thresholdsCrossed: thresholdsReached(of: quota, used: used).map(\.label),
            limitSource: quota.source, mode: mode, usageCompleteTo: usageCompleteTo,
            timeZone: timeZone, overrunBound: overrunBound, upgradeHint: upgradeHint)
        if let units = quota.limit.finite {
            let limit = Int128(Swift.max(units, 0))
            let left = limit - Int128(used) - Int128(held)
            decision.remaining = Int64(clamping: Swift.max(left, 0))
            decision.overage = Int64(clamping: Swift.max(Int128(used) - limit, 0))
            switch quota.enforcement {
            case .hard where wanted + Int128(held) > limit:
                decision.isAllowed = false
                decision.reason = wanted <= limit ? .held : .exhausted
                return decision
            case .soft where wanted > limit:
                decision.reason = .overage
                return decision
            case .hard, .soft: break
            }
        }
        let isWarning = quota.thresholds.contains { threshold in
            guard let level = level(of: threshold, in: quota) else { return false }
            return Int128(level) <= wanted
        }
        if isWarning { decision.reason = .warning }
        return decision
    }

    /// The thresholds that usage passed on its way from `before` to `after`: those with a level in
    /// (before, after], lowest first. Falling usage crosses none.
    ///
    /// Every finite limit has a threshold of 100 %, listed or not: that a quota is used up must not
    /// go unseen.
    public static func crossings(
        quota: Quota, period: Period, before: Int64, after: Int64, at instant: Timestamp
    ) -> [Crossing] {
        guard before < after else { return [] }
        var crossed: [(level: Int64, threshold: Threshold)] = []
        func consider(_ threshold: Threshold) {
            guard let level = level(of: threshold, in: quota), before < level, level <= after,
                !crossed.contains(where: { $0.threshold == threshold })
            else { return }
            crossed.append((level, threshold))
        }
        for threshold in quota.thresholds { consider(threshold) }
        consider(.share(basisPoints: 10_000))
        // Stable, so equal levels keep the order of the quota's list.
        crossed.sort { $0.level < $1.level }
        return crossed.map { _, threshold in
            Crossing(
                customer: quota.customer, feature: quota.feature, meter: quota.meter,
                period: period, threshold: threshold, limit: quota.limit, usedBefore: before,
                usedAfter: after, scale: quota.scale, source: quota.source, crossedAt: instant)
        }
    }

    /// The quota's thresholds that `used` stands at or above, lowest first, each once.
    static func thresholdsReached(of quota: Quota, used: Int64) -> [Threshold] {
        var reached: [(level: Int64, threshold: Threshold)] = []
        for threshold in quota.thresholds {
            guard let level = level(of: threshold, in: quota), level <= used,
                !reached.contains(where: { $0.threshold == threshold })
            else { continue }
            reached.append((level, threshold))
        }
        reached.sort { $0.level < $1.level }
        return reached.map(\.threshold)
    }

    /// The usage at which a threshold is crossed. At least 1: what stands at 0 or below (any share
    /// of a zero limit) is crossed by the first unit used, not by having used nothing. Nil for a
    /// share of no limit.
    static func level(of threshold: Threshold, in quota: Quota) -> Int64? {
        let limit: Limit =
            switch quota.limit {
            case .finite(let units): .finite(Swift.max(units, 0))
            case .unlimited: .unlimited
            }
        guard let level = threshold.level(of: limit) else { return nil }
        return Swift.max(level, 1)
    }
}
