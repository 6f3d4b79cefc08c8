public import MeteringModel

/// A time in which nothing changes of what a customer itself has. A view on its customer: making
/// one allocates nothing, and neither do its members unless they say so.
public struct EntitlementSegment: Sendable {
    public let customer: CompiledCustomer
    /// Position among the customer's segments.
    public let position: Int

    var step: CompiledCustomer.Step { customer.step(position) }

    public var start: Timestamp { step.start }
    /// The first instant after.
    public var end: Timestamp {
        let next = position &+ 1
        return next < customer.stepCount ? customer.step(next).start : .distantFuture
    }

    /// The customer's record was made and not deleted.
    public var isPresent: Bool { step.isPresent }
    /// Customer number; −1 without one.
    public var parent: Int { Int(step.parent) }
    /// Whether features that the customer does not have itself come from its ancestors.
    public var inherits: Bool { step.inherits }

    /// The plan of the first subscription in force, by product; nil without one.
    public var plan: PlanKey? { step.shape.plan }
    /// 0 without a subscription.
    public var planVersion: Int { step.shape.planVersion }
    /// Where periods of that subscription begin.
    public var subscriptionStart: Timestamp? {
        let anchor = step.firstAnchor
        return anchor == .distantFuture ? nil : anchor
    }

    /// Why a feature that nobody gives is denied.
    public var absence: DecisionReason { step.shape.absence }
    public var absenceSources: [String] { step.shape.absenceSources }

    /// The customer's own, sorted by feature.
    public var entitlements: [FeatureEntitlement] { step.shape.entitlements }
    /// The features of `entitlements`. Allocates the list.
    public var features: [FeatureKey] { entitlements.map(\.feature) }

    // MARK: quotas

    /// The customer's own quotas are numbered from 0, sorted by meter index, then feature.
    public var quotaCount: Int { step.shape.quotaPlaces.count }

    /// A quota with everything that it takes to decide: customer and anchor are filled in.
    public func quota(_ position: Int) -> Quota {
        let entitlement = quotaEntitlement(position)
        guard case .metered(var quota, let anchor) = entitlement.value else {
            preconditionFailure("a quota's place is that of a metered entitlement")
        }
        quota.customer = customer.id
        if let anchor { quota.rule.anchor = .subscription(start: self.anchor(anchor)) }
        return quota
    }

    /// All of them. Allocates the list.
    public var quotas: [Quota] { (0..<quotaCount).map { quota($0) } }

    /// Positions of the quotas that a meter's usage counts in.
    public func quotas(ofMeter meterIndex: Int) -> Range<Int> {
        step.shape.quotas(ofMeter: meterIndex)
    }

    /// What the quota is of, shared with other customers: for looking at without a copy. The quota
    /// in its value lacks customer and anchor.
    public func quotaEntitlement(_ position: Int) -> FeatureEntitlement {
        let shape = step.shape
        return shape.entitlements[Int(shape.quotaPlaces[position])]
    }

    /// The period rule of a quota, without copying the rest.
    public func rule(ofQuota position: Int) -> PeriodRule {
        guard case .metered(let quota, let anchor) = quotaEntitlement(position).value else {
            preconditionFailure("a quota's place is that of a metered entitlement")
        }
        guard let anchor else { return quota.rule }
        return PeriodRule(
            unit: quota.rule.unit, anchor: .subscription(start: self.anchor(anchor)))
    }

    /// What a quota's usage costs; nil: nothing. The price of the subscription that leads where
    /// several give the feature.
    public func price(ofQuota position: Int) -> FeaturePrice? { quotaEntitlement(position).price }

    /// The position of a feature's own quota, also while it is suspended; nil when there is none.
    /// - Parameter feature: its number (`CompiledDefinitions.featureNumber`).
    public func quotaPosition(ofFeature feature: Int) -> Int? {
        step.shape.quota(ofFeature: feature)
    }

    private func anchor(_ place: Int) -> Timestamp {
        let step = step
        if place == 0 { return step.firstAnchor }
        return step.otherAnchors[place &- 1]
    }

    // MARK: features

    /// The customer's own; ancestors' are found by `CatalogSnapshot.entitlement(of:_:at:)`.
    /// - Parameter feature: its number (`CompiledDefinitions.featureNumber`).
    public func own(feature: Int) -> CompiledEntitlement? {
        guard let position = step.shape.position(ofFeature: feature) else { return nil }
        return CompiledEntitlement(
            step.shape.entitlements[position], holder: customer.number,
            quota: step.shape.quota(ofFeature: feature))
    }

    /// The key of the plan that gives the next larger amount of a feature: the next higher limit
    /// over the same unit of time, or none at all. Nil when the customer has the most already.
    public func upgradeHint(_ feature: FeatureKey) -> String? {
        step.shape.upgrades.hint(feature, above: step.shape.entitlement(feature))
    }
}

extension EntitlementSegment: Equatable {
    /// Whether both are the same piece of the same compiled customer.
    public static func == (left: EntitlementSegment, right: EntitlementSegment) -> Bool {
        left.customer === right.customer && left.position == right.position
    }
}
