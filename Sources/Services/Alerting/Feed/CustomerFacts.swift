package import MeteringModel

/// What filters ask about a customer beside its id.
package struct CustomerFacts: Sendable, Hashable {
    /// The plan that the feature comes from.
    package var plan: PlanKey?
    /// Who looks after the customer.
    package var owner: String?
    package init(plan: PlanKey? = nil, owner: String? = nil) {
        self.plan = plan
        self.owner = owner
    }
}

/// Looks a customer up in the catalog in force: customer, feature, instant.
package typealias FactsLookup =
    @Sendable (CustomerID, FeatureKey?, Timestamp) -> CustomerFacts
