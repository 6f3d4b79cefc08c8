import Foundation
import JournalEventLog
import Metering
import MeteringModel
import MeteringPorts
import Synchronization

/// The whole journal, as the service replays it.
final class JournalReplay: LogReplay {
    let journal: EventJournal
    /// Records handed over by `replay(from:)`.
    let tailRead = Atomic<Int>(0)
    init(_ journal: EventJournal) { self.journal = journal }
    func replay(
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
    ) throws(EventLogError) {
        let reader = try journal.makeReader()
        defer { reader.close() }
        try reader.replay(from: 0, body)
    }
    func replay(
        from offsets: [Int32: Int64],
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
    ) throws(EventLogError) {
        let reader = try journal.makeReader()
        defer { reader.close() }
        try reader.replay(from: offsets[0] ?? 0) { info, headers, value in
            tailRead.add(1, ordering: .relaxed)
            body(info, headers, value)
        }
    }
    func scan(
        from offsets: [Int32: Int64],
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Bool
    ) throws(EventLogError) {
        guard let first = offsets[0] else { return }
        let reader = try journal.makeReader()
        defer { reader.close() }
        try reader.scan(from: first, body)
    }
}

/// Time as a test sets it.
final class TestClock: Sendable {
    private let micros: Atomic<Int64>
    init(_ text: String) {
        micros = Atomic(Timestamp(rfc3339: text)?.microseconds ?? 0)
    }
    var now: Timestamp { Timestamp(microseconds: micros.load(ordering: .relaxed)) }
    func set(_ text: String) {
        micros.store(Timestamp(rfc3339: text)?.microseconds ?? 0, ordering: .relaxed)
    }
    var wall: WallClock { WallClock { self.now } }
}

/// A folder that goes away with its owner.
final class TemporaryFolder: Sendable {
    let path: String
    init() throws {
        path = NSTemporaryDirectory() + "tollgate-test-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

enum Sample {
    static func catalog(
        tokenLimit: Limit = .finite(1_000), callLimit: Limit = .finite(10_000),
        enforcement: EnforcementMode = .soft, subjects: [SubjectID] = ["key_1", "key_2"]
    ) -> Catalog {
        Catalog(
            meters: [
                MeterDefinition(
                    key: "tokens", eventType: "llm.request", aggregation: .sum,
                    value: ValuePath("$.total_tokens"), unit: "token",
                    groupBy: [.init(name: "model", path: ValuePath(members: ["model"]))]),
                MeterDefinition(key: "requests", eventType: "gate.call", aggregation: .count),
                MeterDefinition(
                    key: "users", eventType: "llm.request", aggregation: .unique,
                    value: ValuePath("$.user"),
                    filters: [
                        .init(path: ValuePath(members: ["kind"]), accepted: ["login"])
                    ]),
            ],
            features: [
                FeatureDefinition(key: "tokens", type: .metered, meter: "tokens"),
                FeatureDefinition(
                    key: "api_calls", type: .metered, meter: "requests", counting: .admission),
                FeatureDefinition(key: "sso", type: .boolean),
                FeatureDefinition(key: "region", type: .static),
            ],
            plans: [
                PlanDefinition(
                    key: "pro",
                    entitlements: [
                        "tokens": .metered(
                            MeteredEntitlement(
                                limit: tokenLimit, period: .month,
                                thresholds: [.share(basisPoints: 8_000)],
                                enforcement: enforcement)),
                        "api_calls": .metered(
                            MeteredEntitlement(
                                limit: callLimit, period: .month, enforcement: .hard)),
                        "sso": .boolean(true), "region": .value("eu"),
                    ])
            ],
            customers: [
                CustomerDefinition(
                    id: "acme",
                    profile: CustomerProfile(subjects: subjects.map { .init($0) }),
                    subscriptions: [
                        .init(terms: SubscriptionTerms(plan: "pro", start: Timestamp(seconds: 0)))
                    ]),
                CustomerDefinition(
                    id: "free", profile: CustomerProfile(subjects: [.init("key_free")])),
            ])
    }

    static func event(
        _ id: String, tokens: String = "10", subject: String = "key_1",
        time: String? = "2026-11-21T10:00:00Z", type: String = "llm.request", model: String = "m1"
    ) -> String {
        let at = time.map { ",\"time\":\"\($0)\"" } ?? ""
        return """
            {"specversion":"1.0","id":"\(id)","source":"/api","type":"\(type)","subject":"\(subject)"\
            \(at),"data":{"total_tokens":\(tokens),"model":"\(model)"}}
            """
    }
}
