import Metering
import MeteringModel
import MeteringPorts
import SQLLedger
import Synchronization

/// The control plane's log of records, in memory: what corrections leave in it.
final class MemoryRecords: RecordKeeping {
    private let documents = Mutex<[String: JSONValue]>([:])
    private let answers = Mutex<[String: ControlAnswer]>([:])

    var all: [JSONValue] { documents.withLock { Array($0.values) } }

    func change(
        _ kind: RecordKind, _ id: String, customer: CustomerID?, _ context: CommandContext,
        digest: String,
        _ body:
            @escaping @Sendable (JSONValue?) throws(ControlProblem) -> (
                document: JSONValue?, answer: ControlAnswer
            )
    ) async throws(ControlProblem) -> ControlAnswer {
        if let key = context.idempotencyKey, let known = answers.withLock({ $0[key] }) {
            return known
        }
        let (document, answer) = try body(documents.withLock { $0[id] })
        documents.withLock { $0[id] = document }
        if let key = context.idempotencyKey { answers.withLock { $0[key] = answer } }
        return answer
    }

    func history(_ kind: RecordKind, _ id: String) throws(ControlProblem) -> RecordHistory? { nil }
    func records(
        _ kind: RecordKind, customer: CustomerID?
    ) throws(ControlProblem) -> [RecordHistory] { [] }
}

extension MeteringHarness {
    /// Corrects an event of source `/api`.
    @discardableResult
    func correct(
        _ action: CorrectionRecord.Action, _ id: String, reason: String? = "a test",
        data: String? = nil, time: String? = nil, subject: String? = nil,
        principal: Principal = .local
    ) async throws(ControlProblem) -> JSONValue {
        let order = CorrectionOrder(
            action: action, source: "/api", eventID: id,
            data: data.flatMap { try? JSONParser.parse($0) }, time: time, subject: subject)
        let context = CommandContext(principal: principal, requestID: "r", reason: reason)
        return try await corrector.correct(order, context, digest: "").body
    }

    /// Kinds of the feed of crossings, in order.
    func crossingFeed() throws -> [CrossingChange.Kind] {
        try ledger.crossingChanges(after: 0, limit: 1_000).map(\.kind)
    }
}

/// A catalog with a meter and a feature of each aggregation over `total_tokens` of `llm.request`.
enum EveryAggregation {
    static func catalog(limit: Int64 = 500) -> Catalog {
        var catalog = Catalog()
        var entitlements: [FeatureKey: EntitlementDefinition] = [:]
        for aggregation in Aggregation.allCases {
            let name = aggregation.rawValue
            let isLimited = ![.avg, .min].contains(aggregation)
            catalog.meters.append(
                MeterDefinition(
                    key: MeterKey(name), eventType: "llm.request", aggregation: aggregation,
                    value: aggregation == .count ? nil : ValuePath("$.total_tokens"),
                    groupBy: [.init(name: "model", path: ValuePath(members: ["model"]))]))
            catalog.features.append(
                FeatureDefinition(key: FeatureKey(name), type: .metered, meter: MeterKey(name)))
            entitlements[FeatureKey(name)] = .metered(
                MeteredEntitlement(
                    limit: isLimited ? .finite(limit) : .unlimited, period: .month,
                    thresholds: isLimited ? [.share(basisPoints: 8_000)] : [], enforcement: .soft))
        }
        catalog.plans = [PlanDefinition(key: "all", version: 1, entitlements: entitlements)]
        return catalog
    }

    static func customer(
        _ id: CustomerID, _ subject: SubjectID, parent: CustomerID? = nil
    ) -> CustomerContract {
        Contracts.customer(
            id, subjects: [subject], parent: parent,
            [Contracts.subscription("all", from: "2026-01-01T00:00:00Z")])
    }
}
