public import MeteringModel

/// What one contract gives at one instant, before inheritance.
public struct EffectiveState: Sendable {
    public let customer: CustomerID
    /// The customer's record was made and not deleted.
    public let isPresent: Bool
    let shape: EntitlementShape
    /// Where periods of each subscription begin; quotas name them by position.
    let anchors: [Timestamp]
    public let parent: CustomerID?
    /// Whether features that are not named here come from the parent.
    public let inherits: Bool

    /// The plan of the first subscription in force, by product; nil without one.
    public var plan: PlanKey? { shape.plan }
    /// 0 without a subscription.
    public var planVersion: Int { shape.planVersion }
    /// Where periods of the first subscription begin.
    public var subscriptionStart: Timestamp? { anchors.first }
    /// Sorted by feature.
    public var entitlements: [FeatureEntitlement] { shape.entitlements }
    /// Why a feature that is not among `entitlements` is denied.
    public var absence: DecisionReason { shape.absence }
    public var absenceSources: [String] { shape.absenceSources }

    public func entitlement(_ feature: FeatureKey) -> FeatureEntitlement? {
        shape.entitlement(feature)
    }

    /// The quota of a metered feature with customer and anchor; nil where there is none.
    public func quota(_ feature: FeatureKey) -> Quota? {
        guard let entitlement = shape.entitlement(feature), entitlement.hasQuota else { return nil }
        return entitlement.quota(of: customer, anchors: anchors)
    }

    /// Whether the two states are the same for everyone who asks.
    func isSame(as other: EffectiveState) -> Bool {
        shape == other.shape && anchors == other.anchors && parent == other.parent
            && inherits == other.inherits && isPresent == other.isPresent
    }
}

extension FeatureEntitlement {
    func quota(of customer: CustomerID, anchors: some Collection<Timestamp>) -> Quota? {
        guard case .metered(var quota, let anchor) = value else { return nil }
        quota.customer = customer
        if let anchor, anchor < anchors.count {
            let place = anchors.index(anchors.startIndex, offsetBy: anchor)
            quota.rule.anchor = .subscription(start: anchors[place])
        }
        return quota
    }
}
