public import MeteringModel

/// A customer as the hot paths need it. What depends on the plan alone is shared by all customers
/// of that plan.
public struct CompiledCustomer: Sendable {
    public let id: CustomerID
    /// The topmost parent; the customer itself when it has none.
    public let root: CustomerID
    public let zone: TimeZoneRules
    public let subscriptionStart: Timestamp?
    let firstQuota: Int
    let shape: PlanShape

    /// Nil without a subscription.
    public var plan: PlanKey? { shape.plan }
    /// 0 without a subscription.
    public var planVersion: Int { shape.version }
    public var entitlements: [FeatureKey: EntitlementDefinition] { shape.entitlements }

    /// This customer's quotas: positions in `CatalogSnapshot.quotas`.
    public var quotas: Range<Int> { firstQuota..<(firstQuota + shape.templates.count) }

    /// The quotas that a meter's usage counts in: positions in `CatalogSnapshot.quotas`.
    /// Allocates nothing.
    public func quotas(ofMeter meterIndex: Int) -> Range<Int> {
        let range = shape.rangeOfMeter[meterIndex]
        return (firstQuota &+ range.lowerBound)..<(firstQuota &+ range.upperBound)
    }
}
