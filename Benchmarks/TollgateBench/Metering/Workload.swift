import Entitlements
import Foundation
import MeteringModel

/// Usage events of 10,000 customers, Zipf-distributed, about 230 bytes each, from a fixed seed.
///
/// Large customers send from many API keys (subjects), which spreads them over partitions.
final class Workload: Sendable {
    static let customerCount = 10_000
    static let modelCount = 4
    static let hash = KeyHash(k0: 11, k1: 12)

    /// All events end to end; event i is `bytes[starts[i]..<starts[i + 1]]`.
    let bytes: [UInt8]
    let starts: [Int]
    /// By event: a number of its subject, for partitioning.
    let subjects: [UInt32]
    /// By customer: units that the ledger must hold in the end.
    let expected: [Int64]
    let snapshot: CatalogSnapshot

    var count: Int { starts.count - 1 }
    var bytesPerEvent: Double { Double(bytes.count) / Double(count) }
    var expectedTotal: Int64 { expected.reduce(0, +) }

    init(count: Int, seed: UInt64 = 42) throws {
        var draws = Draws(seed: seed)
        let zipf = Zipf(count: Self.customerCount)
        // Within one hour, in the past, and never across a month's end.
        let now = Timestamp(seconds: Int64(Date().timeIntervalSince1970))
        let base = now.seconds / 3_600 * 3_600
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count * 240)
        var starts = [0]
        starts.reserveCapacity(count + 1)
        var subjects: [UInt32] = []
        subjects.reserveCapacity(count)
        var expected = [Int64](repeating: 0, count: Self.customerCount)
        let instant = Timestamp(seconds: base).rfc3339(fractionDigits: 3)
        for index in 0..<count {
            let customer = zipf.draw(&draws)
            let key = Int(draws.next() % UInt64(Self.subjectCount(customer)))
            let tokens = Int64(draws.next() % 4_000) + 1
            let model = Int(draws.next() % UInt64(Self.modelCount))
            expected[customer] += tokens
            subjects.append(UInt32(truncatingIfNeeded: customer << 8 | key))
            bytes += Self.event(
                id: Draws.mix(UInt64(index)), subject: Self.subject(customer, key), time: instant,
                tokens: tokens, model: model)
            starts.append(bytes.count)
        }
        self.bytes = bytes
        self.starts = starts
        self.subjects = subjects
        self.expected = expected
        snapshot = try Self.compile()
    }

    /// The bytes of one event.
    func event(_ index: Int) -> Range<Int> { starts[index]..<starts[index + 1] }

    static func customer(_ rank: Int) -> CustomerID { CustomerID("customer-\(rank)") }
    static func subject(_ rank: Int, _ key: Int) -> String { "key-\(rank)-\(key)" }
    static func subjectCount(_ rank: Int) -> Int { max(1, 256 / (rank + 1)) }

    private static func event(
        id: UInt64, subject: String, time: String, tokens: Int64, model: Int
    ) -> [UInt8] {
        let id = String(id, radix: 16)
        return Array(
            ("{\"specversion\":\"1.0\",\"id\":\"\(id)\",\"source\":\"/gateways/eu-central-1\","
                + "\"type\":\"llm.request\",\"subject\":\"\(subject)\",\"time\":\"\(time)\","
                + "\"data\":{\"total_tokens\":\(tokens),\"model\":\"model-\(model)\","
                + "\"cached\":false,\"latency_ms\":\(200 + tokens % 700)}}").utf8)
    }

    static func compile() throws -> CatalogSnapshot {
        let catalog = Catalog(
            meters: [
                MeterDefinition(
                    key: "tokens", eventType: "llm.request", aggregation: .sum,
                    value: ValuePath(members: ["total_tokens"]), unit: "token",
                    groupBy: [.init(name: "model", path: ValuePath(members: ["model"]))])
            ],
            features: [FeatureDefinition(key: "tokens", type: .metered, meter: "tokens")],
            plans: [
                PlanDefinition(
                    key: "pro",
                    entitlements: [
                        "tokens": .metered(
                            MeteredEntitlement(
                                limit: .finite(1_000_000), period: .month,
                                thresholds: [.share(basisPoints: 8_000)], enforcement: .soft))
                    ])
            ],
            customers: (0..<customerCount).map { rank in
                CustomerDefinition(
                    id: customer(rank),
                    profile: CustomerProfile(
                        subjects: (0..<subjectCount(rank)).map {
                            .init(SubjectID(subject(rank, $0)))
                        }),
                    subscriptions: [
                        .init(terms: SubscriptionTerms(plan: "pro", start: Timestamp(seconds: 0)))
                    ])
            })
        return try CatalogSnapshot.compile(
            catalog, revision: 1, hash: hash, zone: { $0 == "UTC" ? .utc : nil }
        ).get()
    }
}
