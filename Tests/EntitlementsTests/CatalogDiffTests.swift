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
        var new = sampleCatalog()
        new.meters[0].unit = "word"
        new.features.removeAll { $0.key == "region" }
        new.plans[0].entitlements["tokens"] = .metered(.init(limit: .finite(200), period: .month))
        new.plans[0].entitlements["sso"] = nil
        new.plans[1].entitlements["storage"] = .metered(.init(limit: .finite(150), period: .day))
        new.plans.append(PlanDefinition(key: "team", entitlements: [:]))
        new.customers[0].subjects = ["key_2", "key_4"]
        new.customers[2].subscription?.plan = "pro"
        new.customers.remove(at: 1)
        #expect(
            CatalogDiff.lines(from: sampleCatalog(), to: new) == [
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
