import Entitlements
import MeteringModel
import YAMLCatalog

/// A small catalog in which nothing is wrong; tests bend it.
func sampleCatalog() -> Catalog {
    Catalog(
        meters: [
            MeterDefinition(
                key: "tokens", eventType: "llm.request", aggregation: .sum,
                value: ValuePath(members: ["total"]), unit: "token",
                groupBy: [.init(name: "model", path: ValuePath(members: ["model"]))]),
            MeterDefinition(key: "requests", eventType: "llm.request", aggregation: .count),
            MeterDefinition(
                key: "storage", eventType: "disk", aggregation: .max,
                value: ValuePath(members: ["bytes"]), scale: 2,
                filters: [MeterFilter(path: ValuePath(members: ["model"]), accepted: ["a", "bb"])]),
        ],
        features: [
            FeatureDefinition(key: "tokens", type: .metered, meter: "tokens"),
            FeatureDefinition(
                key: "api_calls", type: .metered, meter: "requests", counting: .admission),
            FeatureDefinition(key: "burst", type: .metered, meter: "requests"),
            FeatureDefinition(key: "storage", type: .metered, meter: "storage"),
            FeatureDefinition(key: "sso", type: .boolean),
            FeatureDefinition(key: "region", type: .static),
        ],
        plans: [
            PlanDefinition(
                key: "free",
                entitlements: [
                    "tokens": .metered(.init(limit: .finite(100), period: .month)),
                    "sso": .boolean(false),
                ]),
            PlanDefinition(
                key: "pro", version: 3,
                entitlements: [
                    "tokens": .metered(
                        .init(
                            limit: .finite(1_000), period: .month, anchor: .subscription,
                            thresholds: [
                                .share(basisPoints: 10_000), .absolute(500),
                                .share(basisPoints: 8_000),
                            ], enforcement: .soft)),
                    "api_calls": .metered(.init(limit: .finite(10), period: .day)),
                    "burst": .metered(.init(limit: .finite(5), period: .hour)),
                    "sso": .boolean(true), "region": .value("eu"),
                ]),
            PlanDefinition(
                key: "max",
                entitlements: ["tokens": .metered(.init(limit: .unlimited, period: .month))]),
        ],
        customers: [
            CustomerDefinition(
                id: "acme",
                profile: CustomerProfile(
                    timeZone: "Europe/Berlin", subjects: [.init("key_1"), .init("key_2")]),
                subscriptions: [
                    .init(terms: .init(plan: "pro", start: Timestamp(seconds: 1_769_814_000)))
                ]),
            CustomerDefinition(
                id: "acme-labs",
                profile: CustomerProfile(parent: "acme", subjects: [.init("key_3")])),
            CustomerDefinition(
                id: "solo",
                profile: CustomerProfile(subjects: [.init("a-subject-with-a-longer-name")]),
                subscriptions: [.init(terms: .init(plan: "free", start: Timestamp(seconds: 0)))]),
        ])
}

let testHash = KeyHash(k0: 7, k1: 9)

func compile(_ catalog: Catalog) -> Result<CatalogSnapshot, CatalogIssues> {
    CatalogSnapshot.compile(
        catalog, revision: 4, hash: testHash, zone: { try? ZoneFiles.load($0) })
}

/// Long after the sample's subscriptions began.
let now = Timestamp(seconds: 1_780_000_000)

extension CatalogSnapshot {
    /// The customer's own quota of a feature.
    func quota(customer: Int, _ feature: FeatureKey, at instant: Timestamp = now) -> Quota? {
        let segment = customer < customerCount ? self.customer(customer).segment(at: instant) : nil
        guard let segment, let number = definitions.featureNumber(feature) else { return nil }
        return segment.quotaPosition(ofFeature: number).map { segment.quota($0) }
    }

    func customerIndex(subject: String) -> Int? {
        let bytes = Array(subject.utf8)
        // SAFETY: bytes are plain data; the array lives for the call.
        return unsafe customerIndex(subjectHash: hash.hash(subject), subject: bytes.span.bytes)
    }

    func metersOfType(_ type: String) -> [CompiledMeter] {
        let bytes = Array(type.utf8)
        // SAFETY: bytes are plain data; the array lives for the call.
        return unsafe metersOfType(hash.hash(type), bytes.span.bytes)
    }
}
