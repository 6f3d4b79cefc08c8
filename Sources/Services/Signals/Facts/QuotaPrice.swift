import Entitlements
import MeteringModel

/// What usage of a quota costs, and in which money.
struct QuotaPrice: Sendable, Hashable {
    var price: UsagePrice
    var currency: Currency
    /// Where it comes from, e.g. `plan pro v3`.
    var source: String

    /// Nil where usage costs nothing.
    init?(
        of entitlement: FeatureEntitlement, _ segment: EntitlementSegment,
        _ definitions: CompiledDefinitions
    ) {
        guard let key = segment.plan,
            let plan = definitions.plan(key, version: segment.planVersion),
            case .metered(let metered) = plan.entitlements[entitlement.feature],
            let price = metered.price, let currency = plan.currency
        else { return nil }
        self.price = price
        self.currency = currency
        source = "plan \(key) v\(plan.version)"
    }
}
