import MeteringModel

/// For each feature, which plan gives the next larger amount.
final class UpgradePaths: Sendable {
    private struct Offer: Sendable {
        var plan: String
        var product: ProductKey
        var limit: Limit
        var unit: PeriodUnit
    }

    private let metered: [FeatureKey: [Offer]]
    private let seats: [FeatureKey: [Offer]]
    private let boolean: [FeatureKey: String]

    init(_ plans: [PlanDefinition]) {
        var meteredOffers: [FeatureKey: [Offer]] = [:]
        var seatOffers: [FeatureKey: [Offer]] = [:]
        var switches: [FeatureKey: String] = [:]
        for plan in plans.sorted(by: { $0.key < $1.key }) {
            for (feature, entitlement) in plan.entitlements {
                switch entitlement {
                case .metered(let metered):
                    let offer = Offer(
                        plan: plan.key.rawValue, product: plan.product, limit: metered.limit,
                        unit: metered.period)
                    meteredOffers[feature, default: []].append(offer)
                case .seats(let seats):
                    // Seats are held, not used up: their unit of time is that of no period.
                    let offer = Offer(
                        plan: plan.key.rawValue, product: plan.product, limit: seats.seats,
                        unit: .lifetime)
                    seatOffers[feature, default: []].append(offer)
                case .boolean(true):
                    if switches[feature] == nil { switches[feature] = plan.key.rawValue }
                case .boolean(false), .value: break
                }
            }
        }
        metered = meteredOffers
        seats = seatOffers
        boolean = switches
    }

    /// What a holder of `current` (nil: of nothing) could move to for more of a feature.
    func hint(_ feature: FeatureKey, above current: FeatureEntitlement?) -> String? {
        let isGiven = current?.denial == nil
        // Another product's plan would come on top, not take the place of this one.
        let isOfSameProduct = { (offer: Offer) in offer.product == current?.product }
        if let plan = boolean[feature] {
            if isGiven, case .boolean(true) = current?.value { return nil }
            return plan
        }
        if let offers = metered[feature] {
            if isGiven, case .metered(let quota, _) = current?.value {
                return Self.next(
                    above: (quota.limit, quota.rule.unit), in: offers.filter(isOfSameProduct))
            }
            return Self.next(above: nil, in: offers)
        }
        if let offers = seats[feature] {
            if isGiven, case .seats(let own) = current?.value {
                return Self.next(
                    above: (own.seats, .lifetime), in: offers.filter(isOfSameProduct))
            }
            return Self.next(above: nil, in: offers)
        }
        return nil
    }

    /// The smallest larger offer. Limits over different units of time are not compared.
    private static func next(
        above current: (limit: Limit, unit: PeriodUnit)?, in offers: [Offer]
    ) -> String? {
        var best: (limit: Int64, plan: String)?
        var unlimited: String?
        for offer in offers {
            guard let limit = offer.limit.finite else {
                if current?.limit != .unlimited { unlimited = unlimited ?? offer.plan }
                continue
            }
            if let current {
                guard let own = current.limit.finite, offer.unit == current.unit, limit > own
                else { continue }
            } else if limit <= 0 {
                continue
            }
            if best.map({ limit < $0.limit }) ?? true { best = (limit, offer.plan) }
        }
        return best?.plan ?? unlimited
    }
}
