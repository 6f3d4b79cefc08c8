import MeteringModel

/// What all customers of one plan share, compiled once.
final class PlanShape: Sendable {
    /// Nil for customers without a subscription.
    let plan: PlanKey?
    let version: Int
    let entitlements: [FeatureKey: EntitlementDefinition]
    /// The plan's quotas, sorted by meter, then feature; customer and anchor are filled in later.
    let templates: [Template]
    /// For each meter index, where its quotas stand in `templates`.
    let rangeOfMeter: [Range<Int>]
    let templateOfFeature: [FeatureKey: Int]
    /// For each feature, the plan that gives more of it.
    let upgradeOfFeature: [FeatureKey: String]

    struct Template: Sendable {
        var meterIndex: Int
        var anchor: MeteredEntitlement.Anchor
        var quota: Quota

        func quota(for customer: CustomerID, start: Timestamp) -> Quota {
            var quota = quota
            quota.customer = customer
            if anchor == .subscription { quota.rule.anchor = .subscription(start: start) }
            return quota
        }
    }

    init(
        plan: PlanKey?, version: Int, entitlements: [FeatureKey: EntitlementDefinition],
        templates unsorted: [Template], meterCount: Int, upgradeOfFeature: [FeatureKey: String]
    ) {
        self.plan = plan
        self.version = version
        self.entitlements = entitlements
        self.upgradeOfFeature = upgradeOfFeature
        let sorted = unsorted.sorted {
            ($0.meterIndex, $0.quota.feature) < ($1.meterIndex, $1.quota.feature)
        }
        var ranges = [Range<Int>](repeating: 0..<0, count: meterCount)
        var positions: [FeatureKey: Int] = [:]
        for (index, template) in sorted.enumerated() {
            let meter = template.meterIndex
            let lower = ranges[meter].isEmpty ? index : ranges[meter].lowerBound
            ranges[meter] = lower..<(index + 1)
            positions[template.quota.feature] = index
        }
        templates = sorted
        rangeOfMeter = ranges
        templateOfFeature = positions
    }
}
