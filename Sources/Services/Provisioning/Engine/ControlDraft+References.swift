package import MeteringModel
package import MeteringPorts

/// What a command names must exist. Each of these gives it, or says at which member it was named
/// and what was probably meant.
extension ControlDraft {
    /// A plan's version; nil is the latest.
    package func requirePlan(
        _ key: PlanKey, version: Int? = nil, field: String
    ) throws(ControlProblem) -> PlanDefinition {
        guard let latest = definitions.plans.first(where: { $0.key == key }) else {
            throw .unknown(
                .plan, key.rawValue, field: field, known: definitions.plans.map(\.key.rawValue))
        }
        guard let version, version != 0, version != latest.version else { return latest }
        let past = definitions.pastPlans.first { $0.key == key && $0.version == version }
        guard let past else {
            throw .invalid(
                "unknown_plan_version",
                "plan \"\(key)\" has no version \(version); its latest is \(latest.version)",
                field: field)
        }
        return past
    }

    package func requireFeature(
        _ key: FeatureKey, field: String
    ) throws(ControlProblem) -> FeatureDefinition {
        if let feature = definitions.features.first(where: { $0.key == key }) { return feature }
        throw .unknown(
            .feature, key.rawValue, field: field, known: definitions.features.map(\.key.rawValue))
    }

    package func requireMeter(
        _ key: MeterKey, field: String
    ) throws(ControlProblem) -> MeterDefinition {
        if let meter = definitions.meters.first(where: { $0.key == key }) { return meter }
        throw .unknown(
            .meter, key.rawValue, field: field, known: definitions.meters.map(\.key.rawValue))
    }

    package func requireAddOn(
        _ key: AddOnKey, field: String
    ) throws(ControlProblem) -> AddOnDefinition {
        if let addOn = definitions.addOns.first(where: { $0.key == key }) { return addOn }
        throw .unknown(
            .addOn, key.rawValue, field: field, known: definitions.addOns.map(\.key.rawValue))
    }

    /// A product that is declared, or that a plan or an add-on belongs to.
    @discardableResult
    package func requireProduct(
        _ key: ProductKey, field: String
    ) throws(ControlProblem) -> ProductKey {
        let known = productKeys
        if known.contains(key) { return key }
        throw .unknown(.product, key.rawValue, field: field, known: known.map(\.rawValue).sorted())
    }

    var productKeys: Set<ProductKey> {
        var keys: Set<ProductKey> = Set(definitions.products.map(\.key))
        keys.formUnion(definitions.plans.map(\.product))
        keys.formUnion(definitions.pastPlans.map(\.product))
        keys.formUnion(definitions.addOns.map(\.product))
        return keys
    }

    /// A customer's document as its last change leaves it.
    @discardableResult
    package func requireCustomer(
        _ id: CustomerID, field: String
    ) throws(ControlProblem) -> JSONValue {
        if let document = try history(.customer, id.rawValue)?.latest { return document }
        // There may be a million customers: too many to look for a likely one among.
        throw .unknown(.customer, id.rawValue, field: field, known: [])
    }
}
