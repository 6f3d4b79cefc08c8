import Entitlements
import MeteringModel
import YAMLCatalog

/// Two products with plans in versions, add-ons and features of every type.
func shopCatalog() -> Catalog {
    var catalog = sampleCatalog()
    catalog.customers = []
    catalog.products = [
        .init(key: "crm", name: "CRM", defaultPlan: "crm_basic"), .init(key: "mail"),
    ]
    catalog.features += [
        FeatureDefinition(key: "seats", type: .seat),
        FeatureDefinition(key: "export", type: .boolean),
        FeatureDefinition(key: "bytes", type: .metered, meter: "storage"),
    ]
    catalog.plans.append(
        PlanDefinition(
            key: "crm_basic", version: 2, product: "crm",
            entitlements: [
                "tokens": .metered(.init(limit: .finite(70), period: .month)),
                "export": .boolean(true), "region": .value("us"),
                "seats": .seats(.init(seats: .finite(5))),
            ]))
    catalog.plans.append(
        PlanDefinition(
            key: "mail_day", version: 1, product: "mail",
            entitlements: [
                "tokens": .metered(.init(limit: .finite(30), period: .day)),
                "bytes": .metered(
                    .init(limit: .finite(9_000), period: .month, enforcement: .soft)),
                "seats": .seats(.init(seats: .finite(3))), "sso": .boolean(false),
            ], bindings: ["bytes": Binding(regions: ["eu"])]))
    catalog.pastPlans = [
        PlanDefinition(
            key: "crm_basic", version: 1, product: "crm",
            entitlements: ["tokens": .metered(.init(limit: .finite(40), period: .month))])
    ]
    catalog.addOns = [
        AddOnDefinition(
            key: "pack",
            entitlements: [
                "tokens": .metered(.init(limit: .finite(1_000), period: .month)),
                "export": .boolean(true),
            ]),
        AddOnDefinition(
            key: "team", product: "crm",
            entitlements: [
                "seats": .seats(.init(seats: .finite(10))), "region": .value("eu-private"),
            ]),
    ]
    return catalog
}

func day(_ number: Int64) -> Timestamp {
    Timestamp(seconds: 1_750_000_000).adding(seconds: number * 86_400)
}

let shopDefinitions: CompiledDefinitions = {
    switch CompiledDefinitions.compile(shopCatalog(), hash: testHash) {
    case .success(let definitions): return definitions
    case .failure(let issues): preconditionFailure("\(issues)")
    }
}()

/// One subscription the same at all times.
func subscription(
    _ plan: PlanKey, version: Int = 0, id: String? = nil, from start: Timestamp = day(0),
    to end: Timestamp? = nil, _ change: (inout SubscriptionTerms) -> Void = { _ in }
) -> CustomerContract.Held<SubscriptionTerms> {
    var terms = SubscriptionTerms(plan: plan, planVersion: version, start: start, end: end)
    change(&terms)
    return .init(id: id ?? "sub_\(plan)", terms: Dated(terms))
}

func override(
    _ id: String, _ feature: FeatureKey, _ value: OverrideTerms.Value, priority: Int = 0,
    from start: Timestamp = day(0), to end: Timestamp? = nil
) -> CustomerContract.Held<OverrideTerms> {
    .init(
        id: id,
        terms: Dated(
            OverrideTerms(
                feature: feature, value: value, start: start, end: end, priority: priority,
                reason: "test")))
}

func grant(
    _ id: String, _ amount: Int64, feature: FeatureKey = "tokens", priority: Int = 0,
    from start: Timestamp = day(0), to end: Timestamp? = nil, min: Int64 = 0, max: Int64? = nil
) -> CustomerContract.Held<GrantTerms> {
    .init(
        id: id,
        terms: Dated(
            GrantTerms(
                feature: feature, amount: amount, priority: priority, start: start, expires: end,
                rolloverMin: min, rolloverMax: max, reason: "test")))
}

func contract(
    _ subscriptions: [CustomerContract.Held<SubscriptionTerms>] = [], id: CustomerID = "acme",
    profile: CustomerProfile = CustomerProfile(),
    overrides: [CustomerContract.Held<OverrideTerms>] = [],
    grants: [CustomerContract.Held<GrantTerms>] = [],
    suspensions: [CustomerContract.Held<SuspensionTerms>] = [],
    revocations: [CustomerContract.Held<RevocationTerms>] = []
) -> CustomerContract {
    CustomerContract(
        id: id, profile: Dated(profile), subscriptions: subscriptions, overrides: overrides,
        grants: grants, suspensions: suspensions, revocations: revocations)
}

func state(_ contract: CustomerContract, at instant: Timestamp = day(10)) -> EffectiveState {
    EntitlementFold.effective(contract, at: instant, shopDefinitions)
}
