import Entitlements
import MeteringModel

/// A time in which one feature's quota of one customer stays as it is.
struct PricePiece: Sendable {
    var from: Timestamp
    /// The first instant after.
    var to: Timestamp
    var quota: Quota
    var price: FeaturePrice?

    /// Whether the quota counts in `period` at some instant of it.
    func overlaps(_ period: Period) -> Bool { from < period.end && period.start < to }

    /// A customer's own quotas through all time, by feature, each ascending; only features that
    /// have a price at some time. Prices of hourly and lifetime quotas do not exist.
    static func all(of customer: CompiledCustomer) -> [FeatureKey: [PricePiece]] {
        var pieces: [FeatureKey: [PricePiece]] = [:]
        for segment in customer.segments {
            for position in 0..<segment.quotaCount {
                let entitlement = segment.quotaEntitlement(position)
                pieces[entitlement.feature, default: []].append(
                    PricePiece(
                        from: segment.start, to: segment.end, quota: segment.quota(position),
                        price: entitlement.price))
            }
        }
        return pieces.filter { $0.value.contains { $0.price != nil } }
    }
}
