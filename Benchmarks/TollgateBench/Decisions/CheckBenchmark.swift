import Enforcement
import Entitlements
import Logging
import MeteringModel
import MeteringPorts
import Synchronization

/// `QuotaGate.check` in this process, whole: find the customer, its contract as of now, its counter,
/// decide. The same 1,000 customers are asked for while few and while very many are loaded: what a
/// check costs must not grow with what is loaded.
struct CheckBenchmark {
    let options: BenchOptions
    let report: Report

    private static let hotCount = 1_000
    /// Hot with many loaded / hot with few loaded.
    private static let growthMax = 1.5

    func run() throws {
        let many = options.isSmoke ? 50_000 : 1_000_000
        let drawCount = options.isSmoke ? 1 << 14 : 1 << 20
        let small = try Loaded(customerCount: Self.hotCount)
        let before = Measure.residentBytes()
        let large = try Loaded(customerCount: many)
        var draws = Draws(seed: 11)
        let hot = (0..<drawCount).map { _ in Int(draws.next() % UInt64(Self.hotCount)) }
        let all = (0..<drawCount).map { _ in Int(draws.next() % UInt64(many)) }

        // The same customers in both: spread over all that are loaded.
        let stride = many / Self.hotCount
        let hotSmall = small.questions(hot)
        let hotLarge = large.questions(hot.map { $0 * stride })
        let uniform = large.questions(all)
        for number in 0..<many { try large.load(number) }
        let resident = Double(Measure.residentBytes() - before) / Double(many)
        let label = many == 1_000_000 ? "1 M" : "\(many / 1_000) k"

        let pair = try Measure.alternating(runs: options.runs) {
            try small.check(hotSmall)
        } _: {
            try large.check(hotLarge)
        }
        let ratio = pair.second / pair.first
        report.add(
            ReportRow(
                name: "check at scale, 1,000 hot of \(label) loaded",
                ours: "\(pair.second.short) ns",
                reference: "1,000 hot of 1,000 loaded \(pair.first.short) ns",
                ratio: ratio.short, reachFirst: "<= \(Self.growthMax.short) x",
                isMet: ratio <= Self.growthMax))
        let rival = CheckRival(ids: large.ids)
        let other = try Measure.alternating(runs: options.runs) {
            try large.check(uniform)
        } _: {
            rival.check(uniform)
        }
        report.add(
            ReportRow(
                name: "check at scale, uniform over \(label) loaded",
                ours: "\(other.first.short) ns",
                reference: "Mutex dictionary \(other.second.short) ns",
                ratio: (other.first / other.second).short))
        report.add(
            ReportRow(
                name: "bytes per loaded customer, contract and counter",
                ours: "\(resident.short) B"))
    }
}

/// A gate with customers of one plan; nothing is in its ledger.
private final class Loaded {
    let ids: [CustomerID]
    private let gate: QuotaGate

    init(customerCount: Int) throws {
        let ids = (0..<customerCount).map { CustomerID("customer-\($0)") }
        let start = Timestamp(seconds: 1_760_000_000)
        let profile = Dated(CustomerProfile())
        let terms = Dated(SubscriptionTerms(plan: "pro", planVersion: 1, start: start))
        let contracts = ids.lazy.map { id in
            CustomerContract(
                id: id, profile: profile,
                subscriptions: [.init(id: "sub_\(id)", terms: terms)])
        }
        let snapshot = try CatalogSnapshot.compile(
            Self.definitions, contracts: contracts, revision: 1, hash: KeyHash(k0: 5, k1: 6),
            zone: { $0 == "UTC" ? .utc : nil }
        ).get()
        let ledger = EmptyLedger()
        let now = Timestamp(seconds: 1_795_262_400)
        gate = QuotaGate(
            board: CounterBoard(
                catalog: CurrentCatalog(snapshot), queries: ledger,
                minimumCapacity: customerCount),
            book: IdempotencyBook(), writer: ClosedLog(), queries: ledger, shared: nil,
            clock: WallClock { now }, instance: "bench",
            logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() },
            completeTo: { nil })
        self.ids = ids
    }

    private static let definitions = Catalog(
        meters: [MeterDefinition(key: "requests", eventType: "call", aggregation: .count)],
        features: [
            FeatureDefinition(
                key: "calls", type: .metered, meter: "requests", counting: .admission)
        ],
        plans: [
            PlanDefinition(
                key: "pro", version: 1,
                entitlements: [
                    "calls": .metered(
                        MeteredEntitlement(
                            limit: .finite(1 << 40), period: .month,
                            thresholds: [.share(basisPoints: 8_000)]))
                ])
        ])

    func questions(_ numbers: [Int]) -> [EntitlementQuestion] {
        numbers.map { EntitlementQuestion(party: .customer(ids[$0]), feature: "calls") }
    }

    /// Makes the counter, as the first question about a customer does.
    func load(_ number: Int) throws {
        _ = try gate.check(
            EntitlementQuestion(party: .customer(ids[number]), feature: "calls"))
    }

    /// - Returns: nanoseconds per check.
    func check(_ questions: [EntitlementQuestion]) throws -> Double {
        var refused = 0
        let spent = try Measure.nanoseconds {
            for question in questions where try !gate.check(question).isAllowed { refused += 1 }
        }
        if refused > 0 { throw BenchmarkFailure("\(refused) checks were refused") }
        return spent / Double(questions.count)
    }
}

/// The rival: limit and usage by the customer's name, under one lock, and nothing else.
private final class CheckRival: Sendable {
    private struct Entry {
        var limit: Int64
        var used: Int64
    }
    private let entries: Mutex<[CustomerID: Entry]>

    init(ids: [CustomerID]) {
        var entries: [CustomerID: Entry] = [:]
        entries.reserveCapacity(ids.count)
        for id in ids { entries[id] = Entry(limit: 1 << 40, used: 0) }
        self.entries = Mutex(entries)
    }

    /// - Returns: nanoseconds per check.
    func check(_ questions: [EntitlementQuestion]) -> Double {
        var allowed = 0
        let spent = Measure.nanoseconds {
            for question in questions {
                guard case .customer(let id) = question.party else { continue }
                let fits = entries.withLock { entries in
                    entries[id].map { $0.used + 1 <= $0.limit } ?? false
                }
                if fits { allowed += 1 }
            }
        }
        return allowed == questions.count ? spent / Double(questions.count) : .nan
    }
}

/// A ledger in which nothing has happened.
private final class EmptyLedger: PartialLedger {
    func liveUsage(
        endingAfter instant: Timestamp, _ body: (StoredUsage) -> Void
    ) throws(LedgerError) {}
    func usage(_ key: UsageKey) throws(LedgerError) -> StoredUsage? { nil }
    func rollups(_ query: RollupQuery) throws(LedgerError) -> [StoredRollup] { [] }
    func totals() throws(LedgerError) -> [MeterTotal] { [] }
    func crossings(
        customer: CustomerID?, since: Timestamp?, after sequence: Int64, limit: Int
    ) throws(LedgerError) -> [StoredCrossing] { [] }
    func setAside(
        kind: SetAsideEvent.Kind?, after sequence: Int64, limit: Int
    ) throws(LedgerError) -> [StoredSetAside] { [] }
    func setAsideCounts() throws(LedgerError) -> [String: Int64] { [:] }
    func openReservations() throws(LedgerError) -> [Reservation] { [] }
    func reservation(_ id: String) throws(LedgerError) -> Reservation? { nil }
    func admissions(since: Timestamp) throws(LedgerError) -> [AdmissionRecord] { [] }
    func positions() throws(LedgerError) -> [PartitionClaim] { [] }
    func adjustments(customer: CustomerID?) throws(LedgerError) -> [Adjustment] { [] }
}

/// A log that checks never write to.
private final class ClosedLog: EventLogWriter {
    func append(_ records: [LogAppend]) async throws(EventLogError) -> [LogPosition] {
        throw EventLogError(code: .closed, message: "no log", outcome: .notAppended)
    }
    func close() async {}
}
