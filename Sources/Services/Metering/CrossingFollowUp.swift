import Entitlements
import MeteringModel
import MeteringPorts
import QuotaEngine

/// What a change of limits does to crossings: those whose level lies above the usage now are
/// resolved, and those whose level the usage has reached already appear at once.
///
/// A period is judged as it ended, or as it stands: by the quota in force at its end or now.
struct CrossingFollowUp {
    let limit: LimitRule
    /// The customer's recorded crossings, resolved ones too.
    let recorded: [Crossing]
    let now: Timestamp

    struct Outcome {
        var resolved: [Crossing] = []
        var appeared: [Crossing] = []
    }

    /// - Parameters:
    ///   - quota: the one that counts in `period` at `instant`; nil when there is none any more.
    ///   - used: the period's reading.
    func follow(
        _ feature: FeatureKey, _ period: Period, _ quota: Quota?, at instant: Timestamp,
        used: Int64
    ) -> Outcome {
        var outcome = Outcome()
        let open = recorded.filter {
            $0.feature == feature && $0.period == period && $0.resolvedAt == nil
        }
        guard var quota else {
            outcome.resolved = open
            return outcome
        }
        quota.limit = limit(quota, period, instant)
        var standing: Set<String> = []
        for crossing in open {
            if let level = Self.level(of: crossing.threshold, quota.limit), used >= level {
                standing.insert(crossing.threshold.label)
            } else {
                outcome.resolved.append(crossing)
            }
        }
        let reached = QuotaRules.crossings(
            quota: quota, period: period, before: 0, after: used, at: now)
        // One that stands is not announced a second time.
        outcome.appeared = reached.filter { !standing.contains($0.threshold.label) }
        return outcome
    }

    /// As `QuotaRules` has it: nothing is crossed by having used nothing.
    private static func level(of threshold: Threshold, _ limit: Limit) -> Int64? {
        let floored: Limit = limit.finite.map { .finite(max($0, 0)) } ?? .unlimited
        return threshold.level(of: floored).map { max($0, 1) }
    }
}
