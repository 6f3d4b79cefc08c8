package import MeteringModel

/// What an add-on costs, each, per billing cycle.
package struct AddOnFee: Sendable, Hashable {
    package var currency: Currency
    package var fee: RecurringPrice

    package init(currency: Currency, fee: RecurringPrice) {
        self.currency = currency
        self.fee = fee
    }
}

/// A customer's contract with the prices that its fees follow from.
package struct FeeAccount: Sendable {
    package var contract: CustomerContract
    /// The customer's billing zone.
    package var zone: TimeZoneRules
    /// Any version of a plan; nil when there is no such.
    package var plan: @Sendable (PlanKey, Int) -> PlanDefinition?
    /// Add-ons have no versions: their fee at an instant is that of their record then.
    package var addOnFees: [AddOnKey: Dated<AddOnFee>]
    /// The products of add-ons, as far as it is not that of the plan they are held with: what is
    /// revoked costs nothing.
    package var addOnProducts: [AddOnKey: ProductKey]

    package init(
        contract: CustomerContract, zone: TimeZoneRules,
        plan: @escaping @Sendable (PlanKey, Int) -> PlanDefinition?,
        addOnFees: [AddOnKey: Dated<AddOnFee>] = [:],
        addOnProducts: [AddOnKey: ProductKey] = [:]
    ) {
        self.contract = contract
        self.zone = zone
        self.plan = plan
        self.addOnFees = addOnFees
        self.addOnProducts = addOnProducts
    }
}
