import Entitlements
import Metering
import MeteringModel
import MeteringPorts
import Testing

/// Whatever is corrected, rows are what the events that stand would have made by themselves.
@Suite struct RandomCorrectionTests {
    let folder: TemporaryFolder
    let clock = TestClock("2026-11-21T10:20:30Z")

    init() throws { folder = try TemporaryFolder() }

    private struct Standing {
        var subject: Int
        var at: Timestamp
        var value: Int64
    }

    private static let contracts = [
        EveryAggregation.customer("c0", "key_0"),
        EveryAggregation.customer("c1", "key_1", parent: "c0"),
        EveryAggregation.customer("c2", "key_2"),
    ]

    private func open(_ ledger: String) async throws -> MeteringHarness {
        let snapshot = try MeteringHarness.compile(EveryAggregation.catalog(), Self.contracts)
        return try await MeteringHarness(folder.path, snapshot, clock: clock, ledger: ledger)
    }

    /// Rows as text, counted the plain way.
    private static func expected(_ events: some Sequence<Standing>) -> Set<String> {
        var states: [String: (aggregation: Aggregation, state: UsageState)] = [:]
        let month = PeriodRule(unit: .month, anchor: .calendar)
        for event in events {
            let period = month.period(containing: event.at, zone: .utc)
            let owners = event.subject == 1 ? ["c1", "c0"] : ["c\(event.subject)"]
            for owner in owners {
                for aggregation in Aggregation.allCases {
                    let key =
                        "\(owner) \(aggregation.rawValue) \(period.start.seconds) "
                        + "\(period.end.seconds)"
                    let one = UsageState.one(
                        aggregation, value: event.value, at: event.at.microseconds,
                        member: UInt64(event.value))
                    states[key, default: (aggregation, UsageState())].state.merge(
                        one, aggregation)
                }
            }
        }
        return Set(states.map { "\($0.key) \($0.value.state.count) \($0.value.state.value)" })
    }

    private static func withoutEmpty(_ rows: Set<String>) -> Set<String> {
        rows.filter { !$0.hasSuffix(" 0 0") }
    }

    @Test(arguments: 1...6)
    func rowsAreThoseOfTheEventsThatStand(_ seed: Int) async throws {
        var random = SeededRandom(seed: UInt64(seed))
        let harness = try await open("a")
        var sent: [String: Standing] = [:]
        var standing: [String: Standing] = [:]
        func draw() -> Standing {
            let age = Int64.random(in: 0..<(40 * 86_400), using: &random)
            return Standing(
                subject: Int.random(in: 0..<3, using: &random), at: clock.now.adding(seconds: -age),
                value: Int64.random(in: 1...60, using: &random))
        }
        for round in 0..<6 {
            var texts: [String] = []
            for number in 0..<12 {
                let event = draw()
                let id = "\(round)/\(number)"
                sent[id] = event
                standing[id] = event
                let text = Sample.event(
                    id, tokens: "\(event.value)", subject: "key_\(event.subject)",
                    time: event.at.rfc3339(), model: "m\(event.value % 3)")
                texts.append(text)
                if number % 5 == 0 { texts.append(text) }
            }
            try await harness.send(texts)
            try await harness.settle()
            for _ in 0..<6 {
                let ids = sent.keys.sorted()
                guard let id = ids.randomElement(using: &random), let event = sent[id] else {
                    continue
                }
                do throws(ControlProblem) {
                    switch Int.random(in: 0..<3, using: &random) {
                    case 0:
                        try await harness.correct(.void, id)
                        standing[id] = nil
                    case 1:
                        var next = draw()
                        // Not later than the event came.
                        if next.at > event.at { next.at = event.at }
                        try await harness.correct(
                            .amend, id,
                            data: "{\"total_tokens\":\(next.value)}", time: next.at.rfc3339(),
                            subject: "key_\(next.subject)")
                        standing[id] = next
                    default:
                        try await harness.correct(.restore, id)
                        standing[id] = event
                    }
                } catch {
                    #expect(
                        ["not_corrected", "nothing_changed"].contains(error.code),
                        "seed \(seed): \(error)")
                }
            }
        }
        try await harness.settle()
        let rows = try harness.keptRows()
        #expect(Self.withoutEmpty(rows) == Self.expected(standing.values), "seed \(seed)")
        #expect(try await harness.reports.reconcile().drifts == [], "seed \(seed)")
        await harness.stop()
        let rebuilt = try await open("b")
        try await rebuilt.settle()
        #expect(
            Self.withoutEmpty(try rebuilt.keptRows()) == Self.withoutEmpty(rows), "seed \(seed)")
        #expect(try await rebuilt.reports.reconcile().drifts == [], "seed \(seed)")
        await rebuilt.stop()
    }
}
