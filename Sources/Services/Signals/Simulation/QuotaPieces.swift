import Entitlements
import MeteringModel

/// A time in which one feature's quota of one customer stays as it is.
struct QuotaPiece: Sendable {
    var from: Timestamp
    /// The first instant after.
    var to: Timestamp
    var quota: Quota
    var price: FeaturePrice?

    /// A customer's own quotas through all time, by feature, each ascending.
    static func all(of customer: CompiledCustomer) -> [FeatureKey: [QuotaPiece]] {
        var pieces: [FeatureKey: [QuotaPiece]] = [:]
        for segment in customer.segments {
            for position in 0..<segment.quotaCount {
                let entitlement = segment.quotaEntitlement(position)
                pieces[entitlement.feature, default: []].append(
                    QuotaPiece(
                        from: segment.start, to: segment.end, quota: segment.quota(position),
                        price: entitlement.price))
            }
        }
        return pieces
    }
}

/// A part of a quota period in which nothing changes of limit and price.
struct QuotaStretch: Sendable {
    var from: Timestamp
    var to: Timestamp
    /// Nil: there is none here, or one of another rule, whose own period counts this time.
    var quota: Quota?
    var price: FeaturePrice?

    /// They tile the period.
    static func all(
        _ pieces: [QuotaPiece], in period: Period, zone: TimeZoneRules
    ) -> [QuotaStretch] {
        var stretches: [QuotaStretch] = []
        var place = period.start
        for piece in pieces where piece.from < period.end && period.start < piece.to {
            let from = max(piece.from, period.start)
            let to = min(piece.to, period.end)
            if place < from { stretches.append(QuotaStretch(from: place, to: from)) }
            let isCounted = piece.quota.rule.period(containing: from, zone: zone) == period
            stretches.append(
                QuotaStretch(
                    from: from, to: to, quota: isCounted ? piece.quota : nil,
                    price: isCounted ? piece.price : nil))
            place = to
        }
        if place < period.end { stretches.append(QuotaStretch(from: place, to: period.end)) }
        return stretches
    }
}
