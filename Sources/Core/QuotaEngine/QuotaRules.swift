public import MeteringModel

/// What a quota's numbers mean: may this go through, which thresholds were crossed. Pure: the same
/// input gives the same answer. Sums are 128 bits wide, so no `Int64` input overflows; results
/// outside of `Int64` are brought to its bounds.
public enum QuotaRules {
    /// The decision on `quantity` more units, with `used` and `held` units already gone.
    ///
    /// - Hard: allowed when used + held + quantity is within the stop (see `stop`). Otherwise the
    ///   reason is `held` when it would fit without the held units, else `exhausted`.
    /// - Soft: the same where it has a maximum of overage; without one it is always allowed.
    /// - What is allowed and takes used + quantity past the limit is `overage`.
    /// - Unlimited: allowed; remaining is `Int64.max`, overage 0.
    /// - An allowed quantity that is not overage is a `warning` when used + quantity stands at or
    ///   above one of the quota's thresholds, else `ok`.
    ///
    /// `held` below 0 counts as 0, as does a limit below 0. `remaining` counts to the limit, also
    /// where usage may go past it.
    ///
    /// - Parameters:
    ///   - limitReachedAt: when usage of this period reached the limit; nil: it has not yet.
    ///   - decidedAt: the instant of the question; passed on, as are the parameters after it.
    public static func decide(
        quota: Quota, reading used: Int64, held: Int64, quantity: Int64, period: Period,
        limitReachedAt: Timestamp? = nil, decidedAt: Timestamp? = nil, revision: Int64 = 0,
        mode: DecisionMode = .exact, usageCompleteTo: Timestamp? = nil, timeZone: String = "UTC",
        overrunBound: Int64 = 0, upgradeHint: String? = nil
    ) -> Decision {
        let held = Swift.max(held, 0)
        var decision = Decision(
            isAllowed: true, reason: .ok, customer: quota.customer, feature: quota.feature,
            quantity: quantity, scale: quota.scale, limit: quota.limit, used: used, held: held,
            remaining: .max, period: period,
            thresholdsCrossed: thresholdsReached(of: quota, used: used).map(\.label),
            limitSource: quota.source, mode: mode, usageCompleteTo: usageCompleteTo,
            timeZone: timeZone, overrunBound: overrunBound, upgradeHint: upgradeHint,
            decidedAt: decidedAt, revision: revision)
        conclude(
            &decision, stop: stop(of: quota, limitReachedAt: limitReachedAt, at: decidedAt),
            lowestThreshold: quota.thresholds.lazy.compactMap { level(of: $0, in: quota) }.min())
        return decision
    }

    /// Fills in what follows from a decision's limit, used and held units and quantity: whether it
    /// is allowed, why, what remains, and the overage. Allocates nothing.
    /// - Parameters:
    ///   - decision: allowed, with reason `ok`, `remaining` at the largest and no overage.
    ///   - stop: units at which admission stops; nil: never.
    ///   - lowestThreshold: the usage at which the first threshold is crossed; nil without any.
    public static func conclude(
        _ decision: inout Decision, stop: Int64?, lowestThreshold: Int64?
    ) {
        let used = Int128(decision.used)
        let held = Int128(decision.held)
        let wanted = used + Int128(decision.quantity)
        if let units = decision.limit?.finite {
            let limit = Int128(Swift.max(units, 0))
            decision.remaining = Int64(clamping: Swift.max(limit - used - held, 0))
            decision.overage = Int64(clamping: Swift.max(used - limit, 0))
            if let stop, wanted + held > Int128(stop) {
                decision.isAllowed = false
                decision.reason = wanted <= Int128(stop) ? .held : .exhausted
                return
            }
            if wanted > limit {
                decision.reason = .overage
                return
            }
        }
        if let lowestThreshold, Int128(lowestThreshold) <= wanted { decision.reason = .warning }
    }

    /// The units at which admission stops; nil when it never does.
    ///
    /// - Hard: the limit; while its grace is open, the limit and `grace.units` more, or no stop at
    ///   all when only days bound the grace.
    /// - Soft: `overageMax` units past the limit; nil without one.
    ///
    /// - Parameters:
    ///   - limitReachedAt: when usage of this period reached the limit; nil: it has not yet.
    ///   - instant: nil: as if the grace's days had not gone by.
    public static func stop(
        of quota: Quota, limitReachedAt: Timestamp?, at instant: Timestamp?
    ) -> Int64? {
        guard let units = quota.limit.finite else { return nil }
        let limit = Swift.max(units, 0)
        switch quota.enforcement {
        case .soft:
            return quota.overageMax.map { limit.addingSaturated(Swift.max($0, 0)) }
        case .hard:
            // Grace that is bounded by nothing would be no limit at all: it counts as none.
            guard let grace = quota.grace, grace.units != nil || grace.days != nil else {
                return limit
            }
            if let instant, let end = graceEnd(of: quota, limitReachedAt: limitReachedAt),
                instant >= end
            {
                return limit
            }
            return grace.units.map { limit.addingSaturated(Swift.max($0, 0)) }
        }
    }

    /// When a hard quota's days of grace are over: that many times 24 hours after the full second in
    /// which its limit was reached. Nil while it has not been reached, and where no days bound the grace.
    public static func graceEnd(of quota: Quota, limitReachedAt: Timestamp?) -> Timestamp? {
        guard quota.enforcement == .hard, let days = quota.grace?.days, let limitReachedAt else {
            return nil
        }
        let seconds = Int64(Swift.min(Swift.max(days, 0), 366_000)) * 86_400
        return Timestamp(seconds: limitReachedAt.seconds + seconds)
    }

    /// The decision on `quantity` more seats, with `taken` gone: allowed while they fit into what
    /// was bought.
    public static func decideSeats(
        customer: CustomerID, feature: FeatureKey, seats: Limit, taken: Int64, quantity: Int64,
        source: String
    ) -> Decision {
        var decision = Decision(
            isAllowed: true, reason: .ok, customer: customer, feature: feature,
            quantity: quantity, limit: seats, used: taken, remaining: .max, limitSource: source)
        guard let bought = seats.finite.map({ Int128(Swift.max($0, 0)) }) else { return decision }
        decision.remaining = Int64(clamping: Swift.max(bought - Int128(taken), 0))
        decision.overage = Int64(clamping: Swift.max(Int128(taken) - bought, 0))
        if Int128(taken) + Int128(quantity) > bought {
            decision.isAllowed = false
            decision.reason = .exhausted
        }
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
