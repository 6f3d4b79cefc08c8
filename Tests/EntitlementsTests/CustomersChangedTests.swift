import Entitlements
import MeteringModel
import Testing

/// Whom a change of definitions reaches.
@Suite struct CustomersChangedTests {
    private func plan(_ version: Int, _ limit: Int64) -> PlanDefinition {
        PlanDefinition(
            key: "pro", version: version,
            entitlements: [
                "calls": .metered(MeteredEntitlement(limit: .finite(limit), period: .month))
            ])
    }

    private func definitions(
        _ plans: [PlanDefinition], past: [PlanDefinition] = [], more: [FeatureDefinition] = [],
        scale: Int = 0
    ) -> Catalog {
        var catalog = Catalog(
            meters: [
                MeterDefinition(
                    key: "requests", eventType: "call", aggregation: .sum, value: ValuePath("$.n"),
                    scale: scale)
            ],
            features: more + [
                FeatureDefinition(key: "calls", type: .metered, meter: "requests")
            ],
            plans: plans)
        catalog.pastPlans = past
        return catalog
    }

    private func contract(_ id: CustomerID, _ version: Int) -> CustomerContract {
        CustomerContract(
            id: id, profile: Dated(CustomerProfile()),
            subscriptions: [
                .init(
                    id: "sub_\(id)",
                    terms: Dated(
                        SubscriptionTerms(
                            plan: "pro", planVersion: version, start: Timestamp(seconds: 0))))
            ])
    }

    private func snapshot(
        _ catalog: Catalog, _ versions: [CustomerID: Int], keeping: CatalogSnapshot? = nil
    ) throws -> CatalogSnapshot {
        try CatalogSnapshot.compile(
            catalog,
            contracts: versions.sorted { $0.key < $1.key }.map { contract($0.key, $0.value) },
            revision: 1, hash: KeyHash(k0: 1, k1: 2), keeping: keeping,
            zone: { $0 == "UTC" ? .utc : nil }
        ).get()
    }

    @Test func onlyThoseWithOtherRightsAreNamed() throws {
        let old = try snapshot(definitions([plan(1, 10)]), ["a": 1, "b": 1, "gone": 1])
        // A feature that sorts before the others moves all numbers.
        let next = try snapshot(
            definitions(
                [plan(2, 20)], past: [plan(1, 10)],
                more: [FeatureDefinition(key: "aaa", type: .boolean)]),
            ["a": 1, "b": 2, "new": 1], keeping: old)
        let changed = next.customersChanged(since: old).map { next.customer($0).id }
        #expect(Set(changed) == ["b", "gone", "new"])
        #expect(next.customersChanged(since: next).isEmpty)
        let scaled = try snapshot(definitions([plan(1, 10)], scale: 2), ["a": 1], keeping: old)
        #expect(scaled.customersChanged(since: old).count == 3)
    }
}
