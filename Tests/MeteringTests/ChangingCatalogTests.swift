import Entitlements
import Foundation
import Metering
import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

/// Contracts and definitions that change while events come in.
@Suite struct ChangingCatalogTests {
    let folder: TemporaryFolder
    let clock = TestClock("2026-11-21T10:00:00Z")

    init() throws { folder = try TemporaryFolder() }

    private static let start = "2026-01-01T00:00:00Z"

    private static func acme(_ plan: PlanKey, anchor: String? = nil) -> CustomerContract {
        var terms = Contracts.subscription(plan, from: start)
        terms.anchor = anchor.flatMap { Timestamp(rfc3339: $0) }
        return Contracts.customer("acme", parent: "pool", [terms])
    }

    private static let pool = Contracts.customer(
        "pool", subjects: [], [Contracts.subscription("yearly", from: start)])

    @Test func aChangingAnchorUnderLoadLosesNothing() async throws {
        let harness = try await MeteringHarness(
            folder.path,
            try MeteringHarness.compile(Contracts.catalog, [Self.pool, Self.acme("basic")]),
            clock: clock)
        let events = 3_000
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for start in stride(from: 0, to: events, by: 50) {
                    try await harness.send(
                        (start..<start + 50).map { number in
                            Sample.event(
                                "e\(number)", tokens: "\(number % 7)",
                                time: "2026-11-\(10 + number % 11)T0\(number % 10):17:33Z")
                        })
                }
            }
            group.addTask {
                let forms = [
                    Self.acme("anchored"), Self.acme("yearly"),
                    Self.acme("anchored", anchor: "2026-01-15T05:00:00Z"), Self.acme("basic"),
                ]
                for number in 0..<24 {
                    try await harness.change(
                        [forms[number % 4]], since: Self.start, request: "r\(number)")
                    try await Task.sleep(for: .milliseconds(4))
                }
            }
            try await group.waitForAll()
        }
        try await harness.settle()
        let all = (0..<events).reduce(Int64(0)) { $0 + Int64($1 % 7) }
        #expect(try harness.row("acme", "2026-11-01", "2026-12-01") == all)
        #expect(try harness.row("pool", "2026-01-01", "2027-01-01") == all)
        let report = try await harness.reports.reconcile()
        #expect(report.drifts.isEmpty)
        #expect(report.eventsCounted == Int64(events))
        await harness.stop()
    }

    @Test func aReplayMakesTheSameRows() async throws {
        let harness = try await MeteringHarness(
            folder.path,
            try MeteringHarness.compile(Contracts.catalog, [Self.pool, Self.acme("basic")]),
            clock: clock)
        for number in 0..<60 {
            try await harness.send([
                Sample.event(
                    "e\(number)", tokens: "\(number)",
                    time: "2026-\(number % 2 == 0 ? "10" : "11")-\(10 + number % 11)T05:17:33Z")
            ])
            if number == 20 { try await harness.settle() }
            if number == 30 {
                try await harness.change(
                    [Self.acme("anchored", anchor: "2026-01-15T05:00:00Z")], since: Self.start)
            }
        }
        try await harness.settle()
        try await harness.change([Self.acme("hourly")], since: Self.start)
        // Rows of terms that hold no longer stay behind; a replay makes only those that do.
        let rows = try harness.keptRows()
        let totals = try harness.reports.totals()
        let snapshot = harness.catalog.load()
        await harness.stop()
        let again = try await MeteringHarness(
            folder.path, snapshot, clock: clock, ledger: "again")
        let rebuilt = try again.keptRows()
        #expect(!rebuilt.isEmpty && rebuilt.isSubset(of: rows))
        #expect(try again.reports.totals() == totals)
        #expect(try await again.reports.reconcile().drifts.isEmpty)
        await again.stop()
    }

    /// New definitions take an interpreter of their own, whatever the numbers of meters are then.
    @Test func newDefinitionsKeepTheUsage() async throws {
        let contracts = [Self.pool, Self.acme("basic")]
        let harness = try await MeteringHarness(
            folder.path, try MeteringHarness.compile(Contracts.catalog, contracts), clock: clock)
        try await harness.use(10, at: "2026-11-20T10:00:00Z", id: "a")
        var catalog = Contracts.catalog
        catalog.meters.insert(
            MeterDefinition(key: "calls", eventType: "llm.request", aggregation: .count), at: 0)
        catalog.plans.append(Contracts.plan("spare", 7))
        let changed = catalog
        try await harness.replace { old in
            let new = try MeteringHarness.compile(changed, contracts, revision: 2, keeping: old)
            return (new, Array(0..<new.customerCount))
        }
        try await harness.use(5, at: "2026-11-20T11:00:00Z", id: "b")
        try await harness.use(5, at: "2026-11-20T11:00:00Z", id: "a")
        #expect(try harness.row("acme", "2026-11-01", "2026-12-01") == 15)
        #expect(try harness.row("pool", "2026-01-01", "2027-01-01") == 15)
        await harness.stop()
    }

    @Test func aNewCustomersEventsAreCountedAtOnce() async throws {
        let harness = try await MeteringHarness(
            folder.path,
            try MeteringHarness.compile(Contracts.catalog, [Self.pool, Self.acme("basic")]),
            clock: clock)
        for number in 0..<20 {
            let id = CustomerID("c\(number)")
            try await harness.change([
                Contracts.customer(
                    id, subjects: [SubjectID("k\(number)")], parent: "pool",
                    [Contracts.subscription("basic", from: Self.start)])
            ])
            try await harness.use(3, "k\(number)", at: "2026-11-20T10:00:00Z")
            #expect(try harness.row(id, "2026-11-01", "2026-12-01") == 3)
        }
        #expect(try harness.row("pool", "2026-01-01", "2027-01-01") == 60)
        #expect(try await harness.reports.reconcile().drifts.isEmpty)
        await harness.stop()
    }
}
