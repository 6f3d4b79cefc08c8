import Entitlements
import MeteringModel
import Testing

@Suite struct CatalogDiffTests {
    @Test func nothingChangesNothing() {
        #expect(CatalogDiff.lines(from: sampleCatalog(), to: sampleCatalog()).isEmpty)
    }

    @Test func aFirstCatalogIsAllNew() {
        let lines = CatalogDiff.lines(from: nil, to: sampleCatalog())
        #expect(lines.first == "+ meter requests")
        #expect(lines.contains("+ plan pro"))
        #expect(lines.last == "+ customer solo")
        #expect(lines.count == 3 + 6 + 3 + 3)
    }

    @Test func changesAreNamedFieldByField() {
        let old = unnumbered(sampleCatalog())
        var new = old
        new.meters[0].unit = "word"
        new.features.removeAll { $0.key == "region" }
        new.plans[0].entitlements["tokens"] = .metered(.init(limit: .finite(200), period: .month))
        new.plans[0].entitlements["sso"] = nil
        new.plans[1].entitlements["storage"] = .metered(.init(limit: .finite(150), period: .day))
        new.plans.append(PlanDefinition(key: "team", entitlements: [:]))
        new.customers[0].profile.subjects = [.init("key_2"), .init("key_4")]
        new.customers[2].subscriptions[0].terms.plan = "pro"
        new.customers.remove(at: 1)
        #expect(
            CatalogDiff.lines(from: old, to: new) == [
                "~ meter tokens: unit token → word",
                "- feature region",
                "~ plan free: - sso false",
                "~ plan free: tokens limit 100 → 200",
                "~ plan pro: + storage limit 1.50",
                "~ plan pro: + storage period day",
                "~ plan pro: + storage anchor calendar",
                "~ plan pro: + storage enforcement hard",
                "~ plan pro: + storage thresholds []",
                "~ plan pro: + storage on_outage closed",
                "~ plan pro: + storage durability logged",
                "+ plan team",
                "~ customer acme: - subject key_1",
                "~ customer acme: + subject key_4",
                "- customer acme-labs",
                "~ customer solo: plan free → pro",
            ])
    }

    @Test func aPlanSaysWhichVersionItGetsAndWhoStaysBehind() {
        var old = sampleCatalog()
        for index in old.plans.indices { old.plans[index].version = 1 }
        var new = sampleCatalog()
        new.plans[0].entitlements["tokens"] = .metered(.init(limit: .finite(200), period: .day))
        new.plans[1].name = "Pro"
        new.plans[2].product = "suite"
        #expect(
            CatalogDiff.lines(from: old, to: new, staying: { $0 == "free" ? 12 : 1 }) == [
                "~ plan free: tokens limit 100 → 200",
                "~ plan free: tokens period month → day "
                    + "(new version 2; 12 subscriptions stay on earlier versions)",
                "~ plan max: + product suite "
                    + "(new version 2; 1 subscription stays on earlier versions)",
                "~ plan pro: + name Pro",
            ])
        #expect(
            CatalogDiff.lines(from: old, to: new).contains(
                "~ plan max: + product suite (new version 2)"))
    }

    @Test func withoutPruningNothingGoesAway() {
        #expect(CatalogDiff.lines(from: sampleCatalog(), to: Catalog(), prunes: false).isEmpty)
        #expect(CatalogDiff.lines(from: sampleCatalog(), to: Catalog()).count == 15)
    }

    @Test func everyKindOfDefinitionIsCompared() {
        var old = Catalog(
            products: [ProductDefinition(key: "suite", name: "Suite")],
            features: [FeatureDefinition(key: "seats", type: .seat)],
            plans: [
                PlanDefinition(
                    key: "pro", entitlements: ["seats": .seats(.init(seats: .finite(5)))],
                    bindings: ["seats": Binding(regions: ["eu"])])
            ],
            addOns: [
                AddOnDefinition(
                    key: "more", entitlements: ["seats": .seats(.init(seats: .finite(1)))])
            ],
            stripe: StripeMapping(prices: ["p1": .plan("pro"), "p2": .addOn("more")]))
        var new = old
        new.products[0].defaultPlan = "pro"
        new.plans[0].entitlements["seats"] = .seats(.init(seats: .unlimited, mode: .concurrent))
        new.plans[0].bindings["seats"] = Binding(domains: ["*.example.com"])
        new.addOns[0].entitlements["seats"] = .seats(.init(seats: .finite(2)))
        new.stripe?.prices["p2"] = .seats("seats")
        new.stripe?.failedAttempts = 3
        #expect(
            CatalogDiff.lines(from: old, to: new) == [
                "~ product suite: + default_plan pro",
                "~ plan pro: - seats regions [eu]",
                "~ plan pro: seats seats 5 → unlimited",
                "~ plan pro: seats mode named → concurrent",
                "~ plan pro: + seats heartbeat 300s",
                "~ plan pro: + seats domains [*.example.com]",
                "~ add-on more: seats seats 1 → 2",
                "~ stripe: price p2 add_on more → seats seats",
                "~ stripe: failed_attempts 1 → 3",
            ])
        old.stripe = nil
        #expect(CatalogDiff.lines(from: old, to: new).contains("+ stripe"))
    }

    @Test func subscriptionsAreToldApartByProduct() {
        let start = Timestamp(seconds: 0)
        var old = Catalog(
            plans: [
                PlanDefinition(key: "pro", entitlements: [:]),
                PlanDefinition(key: "vault", product: "vault", entitlements: [:]),
            ],
            customers: [
                CustomerDefinition(
                    id: "acme",
                    profile: CustomerProfile(subjects: [.init("k", environment: .test)]),
                    subscriptions: [
                        .init(
                            id: "acme:default",
                            terms: .init(plan: "pro", planVersion: 2, start: start)),
                        .init(
                            id: "acme:vault",
                            terms: .init(plan: "vault", planVersion: 1, start: start)),
                    ])
            ])
        var new = old
        for index in 0...1 {
            new.customers[0].subscriptions[index].id = nil
            new.customers[0].subscriptions[index].terms.planVersion = 0
        }
        // No version means the one that is held, and an id that was given by rule is no change.
        #expect(CatalogDiff.lines(from: old, to: new).isEmpty)
        new.customers[0].subscriptions[1].terms.addOns = [.init(key: "more", quantity: 2)]
        new.customers[0].subscriptions[1].terms.end = Timestamp(seconds: 86_400)
        new.customers[0].profile.metadata = ["tier": "a"]
        new.customers[0].profile.subjects = [.init("k")]
        #expect(
            CatalogDiff.lines(from: old, to: new) == [
                "~ customer acme: + metadata tier a",
                "~ customer acme: + subscription vault end 1970-01-02T00:00:00Z",
                "~ customer acme: + subscription vault add_ons [more × 2]",
                "~ customer acme: subject k test → ",
            ])
        old.customers[0].subscriptions.removeLast()
        #expect(
            CatalogDiff.lines(from: old, to: new).contains(
                "~ customer acme: + subscription vault plan vault"))
    }

    @Test func aDigestFollowsTheContentOnly() {
        let plans = sampleCatalog().plans
        var renamed = plans[1]
        renamed.key = "other"
        let digest = CatalogDiff.contentDigest(of: plans[1])
        #expect(digest.count == 32)
        #expect(CatalogDiff.contentDigest(of: renamed) == digest)
        #expect(CatalogDiff.contentDigest(of: plans[0]) != digest)
        var changed = plans[1]
        changed.entitlements["region"] = .value("us")
        #expect(CatalogDiff.contentDigest(of: changed) != digest)
        changed.entitlements["region"] = .value("eu")
        #expect(CatalogDiff.contentDigest(of: changed) == digest)
        changed.name = "Pro"
        changed.version = 7
        #expect(CatalogDiff.contentDigest(of: changed) == digest)
        changed.bindings["region"] = Binding(domains: ["a"])
        let bound = CatalogDiff.contentDigest(of: changed)
        changed.bindings["region"] = Binding(regions: ["a"])
        #expect(bound != digest && CatalogDiff.contentDigest(of: changed) != bound)
        changed.bindings = [:]
        changed.product = "suite"
        #expect(CatalogDiff.contentDigest(of: changed) != digest)
    }

    /// Written down, so that a release that changes it by accident fails here.
    @Test func theDigestOfAKnownPlanIsFixed() {
        let plan = PlanDefinition(
            key: "p",
            entitlements: [
                "a": .boolean(true), "b": .value("x"),
                "c": .metered(.init(limit: .finite(5), period: .month)),
            ])
        #expect(CatalogDiff.contentDigest(of: plan) == "ce1125ab7e114226e0f112907b4c80b4")
    }
}
