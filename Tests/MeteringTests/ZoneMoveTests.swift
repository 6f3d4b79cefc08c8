import Entitlements
import Foundation
import Metering
import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

/// A customer's move to another time zone: all of its periods are other ones from then on, those
/// that are over too.
@Suite("Usage of a customer that moves to another zone") struct ZoneMoveTests {
    let folder: TemporaryFolder
    let clock = TestClock("2026-11-21T10:20:30Z")

    init() throws { folder = try TemporaryFolder() }

    private static func rules(_ name: String) -> TimeZoneRules? {
        if name == "UTC" { return .utc }
        let file = FileManager.default.contents(atPath: "/usr/share/zoneinfo/" + name)
        return file.flatMap { TimeZoneRules(name: name, tzif: Array($0)) }
    }

    private static func contract(_ zone: String, _ plan: PlanKey) -> CustomerContract {
        CustomerContract(
            id: "acme",
            profile: Dated(CustomerProfile(timeZone: zone, subjects: [.init("key_1")])),
            subscriptions: [
                .init(
                    id: "acme:0",
                    terms: Dated(Contracts.subscription(plan, from: "2026-01-31T14:23:17Z")))
            ])
    }

    @Test(
        "rows of every period, days and months are those of the new zone",
        arguments: [
            ("Asia/Tokyo", "UTC"), ("UTC", "Asia/Kolkata"),
            ("Australia/Lord_Howe", "Pacific/Honolulu"),
        ], ["basic", "anchored"] as [PlanKey])
    func moves(_ zones: (String, String), _ plan: PlanKey) async throws {
        var random = SeededRandom(seed: 7)
        let snapshot = try CatalogSnapshot.compile(
            Contracts.catalog, contracts: [Self.contract(zones.0, plan)], revision: 1,
            hash: MeteringHarness.hash, zone: { Self.rules($0) }
        ).get()
        let harness = try await MeteringHarness(folder.path, snapshot, clock: clock)
        let first = try #require(Timestamp(rfc3339: "2026-09-20T00:00:00Z"))
        var events: [(at: Timestamp, tokens: Int64)] = []
        func use(_ count: Int) async throws {
            var texts: [String] = []
            for _ in 0..<count {
                let at = first.adding(seconds: .random(in: 0..<(62 * 86_400), using: &random))
                let tokens = Int64.random(in: 1...1_000, using: &random)
                events.append((at, tokens))
                texts.append(
                    Sample.event("e\(events.count)", tokens: "\(tokens)", time: at.rfc3339()))
            }
            try await harness.send(texts)
            try await harness.settle()
        }
        try await use(600)
        let moved = Self.contract(zones.1, plan)
        try await harness.change([moved])
        try await use(200)
        let report = try await harness.reports.reconcile()
        #expect(report.drifts == [] && report.rowsCompared > 3)
        let rules = try #require(Self.rules(zones.1))
        for (window, unit) in [(UsageWindow.day, PeriodUnit.day), (.month, .month)] {
            // Hours were counted whole where no quota's period began: of days that begin at half
            // past, they count where they begin.
            if window == .day, zones.1 == "Asia/Kolkata" { continue }
            let usage = try harness.reports.usage(
                UsageQuery(
                    customer: "acme", feature: "tokens", from: first, window: window))
            let rule = PeriodRule(unit: unit, anchor: .calendar)
            var expected: [Timestamp: Int64] = [:]
            for event in events {
                let start = rule.period(containing: event.at, zone: rules).start
                expected[start, default: 0] += event.tokens
            }
            let found = Dictionary(
                usage.windows.map { ($0.start, $0.value) }, uniquingKeysWith: { $0 + $1 })
            #expect(found == expected, "\(window) of \(zones.1)")
        }
        await harness.stop()
    }
}
