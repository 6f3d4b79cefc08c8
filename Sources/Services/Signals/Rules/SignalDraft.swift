import Entitlements
import MeteringModel
import MeteringPorts

extension CustomerFacts {
    /// A signal of this customer; its context is filled in once, for all of them.
    func signal(
        _ kind: SignalKind, _ feature: FeatureKey?, of period: Timestamp,
        _ severity: SignalSeverity, score: Int, since: Timestamp? = nil, reason: String,
        numbers: [String: JSONValue], basis: [Signal.Basis], scale: Int
    ) -> Signal {
        Signal(
            id: SignalID.make(kind, id, feature, period), kind: kind, customer: id,
            feature: feature, severity: severity, score: min(100, max(0, score)),
            since: since ?? now, reason: reason, numbers: numbers, basis: basis,
            scale: scale, plan: segment.plan, context: .init(zone: zone))
    }

    /// All signals, in no order.
    var signals: [Signal] {
        var found: [Signal] = []
        for quota in quotas {
            found += [
                NearLimitRule.signal(quota, self), ExhaustionRule.signal(quota, self),
                OverageRule.signal(quota, self), ChurnRule.signal(quota, self),
                LeakageRule.signal(quota, self),
            ].compactMap { $0 }
        }
        found += unentitled.compactMap { LeakageRule.signal($0, self) }
        return found
    }
}

extension CustomerFacts.QuotaFacts {
    var scale: Int { quota.scale }

    func text(_ units: Int64) -> String { SignalText.quantity(units, scale: scale) }

    func number(_ units: Int64) -> JSONValue {
        .number(DecimalQuantity.text(units: units, scale: scale))
    }

    var basis: Signal.Basis { .init(period: period, used: used, limit: limit.finite) }

    func shareText(_ basisPoints: Int64) -> String {
        SignalText.percent(basisPoints: basisPoints, thresholds: thresholdShares)
    }

    /// Shares of the limit at which its thresholds lie, ascending.
    var thresholdShares: [Int64] {
        guard let limit = limit.finite else { return [] }
        return quota.thresholds.compactMap { threshold in
            threshold.level(of: .finite(limit)).map { $0.share(of: limit) }
        }.sorted()
    }
}
