import MeteringModel

/// For each feature, which plan gives the next larger amount.
struct UpgradePaths {
    private struct Offer {
        var plan: String
        var limit: Limit
        var unit: PeriodUnit
    }

    private var metered: [FeatureKey: [Offer]] = [:]
    private var boolean: [FeatureKey: String] = [:]

    init(_ plans: [PlanDefinition]) {
        for plan in plans.sorted(by: { $0.key < $1.key }) {
            for (feature, entitlement) in plan.entitlements {
                switch entitlement {
                case .metered(let metered):
                    let offer = Offer(
                        plan: plan.key.rawValue, limit: metered.limit, unit: metered.period)
                    self.metered[feature, default: []].append(offer)
                case .boolean(true):
                    if boolean[feature] == nil { boolean[feature] = plan.key.rawValue }
                case .boolean(false), .value: break
                }
            }
        }
    }

    /// What a holder of `entitlements` could move to, by feature.
    func hints(for entitlements: [FeatureKey: EntitlementDefinition]) -> [FeatureKey: String] {
        var hints: [FeatureKey: String] = [:]
        for (feature, plan) in boolean where entitlements[feature] != .boolean(true) {
            hints[feature] = plan
        }
        for (feature, offers) in metered {
            var current: MeteredEntitlement?
            if case .metered(let own) = entitlements[feature] { current = own }
            hints[feature] = Self.next(above: current, in: offers)
        }
        return hints
    }

    /// The smallest larger offer. Limits over different units of time are not compared.
    private static func next(above current: MeteredEntitlement?, in offers: [Offer]) -> String? {
        var best: (limit: Int64, plan: String)?
        var unlimited: String?
        for offer in offers {
            guard let limit = offer.limit.finite else {
                if current?.limit != .unlimited { unlimited = unlimited ?? offer.plan }
                continue
            }
            if let current {
                guard let own = current.limit.finite, offer.unit == current.period, limit > own
                else { continue }
            } else if limit <= 0 {
                continue
            }
            if best.map({ limit < $0.limit }) ?? true { best = (limit, offer.plan) }
        }
        return best?.plan ?? unlimited
    }
}
