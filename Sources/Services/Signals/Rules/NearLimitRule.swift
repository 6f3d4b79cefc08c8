import Forecasting
import MeteringModel
import MeteringPorts

/// A quota that is nearly or wholly used up, or over.
enum NearLimitRule {
    static func signal(_ own: CustomerFacts.QuotaFacts, _ facts: CustomerFacts) -> Signal? {
        guard !own.isDenied, let limit = own.limit.finite, limit > 0,
            let share = own.shareBasisPoints, share >= facts.settings.nearShareBasisPoints
        else { return nil }
        let (zone, isHard) = (facts.zone, own.quota.enforcement == .hard)
        let left = limit.subtractingSaturated(own.used)
        var reason =
            "\(facts.id) has used \(own.text(own.used)) of its \(own.text(limit)) \(own.name) "
            + "(\(own.shareText(share)))"
        if own.period != .lifetime {
            reason += " in the period that ends on \(SignalText.lastDay(of: own.period, zone))"
        }
        if left > 0 {
            reason += "; \(own.text(left)) are left"
        } else if isHard {
            reason += "; the limit is hard, so use is being stopped"
        } else {
            reason += "; \(own.text(0 - left)) are over the limit"
        }
        var signal = facts.signal(
            .nearLimit, own.quota.feature, of: own.period.start,
            severity(share, isHard: isHard), score: Int(min(share, 20_000)) / 125,
            since: since(own, limit, facts), reason: reason + ".",
            numbers: [
                "used": own.number(own.used), "limit": own.number(limit),
                "share_percent": .number(DecimalQuantity.text(units: share, scale: 2)),
                "left": own.number(max(0, left)), "overage": own.number(max(0, 0 - left)),
            ], basis: [own.basis], scale: own.scale)
        signal.shareBasisPoints = share
        signal.thresholdShares = own.thresholdShares
        signal.exhaustion = ExhaustionRule.forecast(own, facts)
        return signal
    }

    private static func severity(_ share: Int64, isHard: Bool) -> SignalSeverity {
        switch share {
        case 10_000...: isHard ? .critical : .high
        case 9_000...: isHard ? .high : .medium
        default: isHard ? .medium : .low
        }
    }

    /// The day on which the share was reached, where days add up to the period.
    private static func since(
        _ own: CustomerFacts.QuotaFacts, _ limit: Int64, _ facts: CustomerFacts
    ) -> Timestamp? {
        guard let history = facts.histories[own.quota.meter], history.isAdditive,
            history.days.first.map({ $0.period.start <= own.period.start }) ?? false,
            let level = Threshold.share(basisPoints: facts.settings.nearShareBasisPoints)
                .level(of: .finite(limit))
        else { return nil }
        return history.day(reaching: level, since: own.period.start)
    }
}
