import Entitlements
import Foundation
import Metering
import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

/// Whatever the contracts went through, usage rows are what a recount of the log makes of them.
@Suite struct RandomHistoryTests {
    let folder: TemporaryFolder
    let clock = TestClock("2026-11-21T10:20:30Z")

    init() throws { folder = try TemporaryFolder() }

    private static let aggregations: [Aggregation] = [.sum, .max, .unique, .count]
    /// With a clock change among the days of the test, and with days that start at half hours.
    private static let zones = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe"]

    private static func rules(_ name: String) -> TimeZoneRules? {
        if name == "UTC" { return .utc }
        let file = FileManager.default.contents(atPath: "/usr/share/zoneinfo/" + name)
        return file.flatMap { TimeZoneRules(name: name, tzif: Array($0)) }
    }

    private static var catalog: Catalog {
        var catalog = Catalog()
        for aggregation in aggregations {
            let name = aggregation.rawValue
            catalog.meters.append(
                MeterDefinition(
                    key: MeterKey(name), eventType: "llm.request", aggregation: aggregation,
                    value: aggregation == .count ? nil : ValuePath("$.total_tokens")))
            catalog.features.append(
                FeatureDefinition(key: FeatureKey(name), type: .metered, meter: MeterKey(name)))
        }
        for unit in PeriodUnit.allCases {
            for anchor in MeteredEntitlement.Anchor.allCases {
                let entitlement = EntitlementDefinition.metered(
                    MeteredEntitlement(
                        limit: .finite(500), period: unit, anchor: anchor, enforcement: .soft))
                catalog.plans.append(
                    PlanDefinition(
                        key: PlanKey("\(unit.rawValue)-\(anchor.rawValue)"), version: 1,
                        entitlements: Dictionary(
                            uniqueKeysWithValues: aggregations.map {
                                (FeatureKey($0.rawValue), entitlement)
                            })))
            }
        }
        return catalog
    }

    private static func contract(
        _ number: Int, _ random: inout SeededRandom
    ) -> CustomerContract {
        let begin = Timestamp(rfc3339: "2026-01-01T00:00:00Z") ?? .distantPast
        let middle = begin.adding(seconds: Int64.random(in: 270...330, using: &random) * 86_400)
            .adding(seconds: Int64.random(in: 0..<86_400, using: &random))
        func terms(_ start: Timestamp, _ end: Timestamp?) -> SubscriptionTerms {
            let unit = PeriodUnit.allCases.randomElement(using: &random) ?? .month
            let anchor = MeteredEntitlement.Anchor.allCases.randomElement(using: &random)
            let plan = PlanKey("\(unit.rawValue)-\((anchor ?? .calendar).rawValue)")
            return SubscriptionTerms(plan: plan, planVersion: 1, start: start, end: end)
        }
        let profile = CustomerProfile(
            timeZone: zones.randomElement(using: &random) ?? "UTC",
            parent: number == 0 ? nil : "c0", subjects: [.init(SubjectID("key_\(number)"))])
        return CustomerContract(
            id: CustomerID("c\(number)"), profile: Dated(profile),
            subscriptions: [
                .init(id: "c\(number):a", terms: Dated(terms(begin, middle))),
                .init(id: "c\(number):b", terms: Dated(terms(middle, nil))),
            ])
    }

    @Test(arguments: 1...6)
    func rowsEqualARecount(_ seed: Int) async throws {
        var random = SeededRandom(seed: UInt64(seed))
        let first = (0..<3).map { Self.contract($0, &random) }
        let snapshot = try CatalogSnapshot.compile(
            Self.catalog, contracts: first, revision: 1, hash: MeteringHarness.hash,
            zone: { Self.rules($0) }
        ).get()
        let harness = try await MeteringHarness(folder.path, snapshot, clock: clock)
        let now = clock.now
        for round in 0..<8 {
            let events = (0..<15).map { number in
                let age = Int64.random(in: 0..<(75 * 86_400), using: &random)
                return Sample.event(
                    "\(round)/\(number)", tokens: "\(Int.random(in: 0...60, using: &random))",
                    subject: "key_\(Int.random(in: 0..<3, using: &random))",
                    time: now.adding(seconds: -age).rfc3339())
            }
            try await harness.send(events)
            if round % 3 != 0 { try await harness.settle() }
            let changed = Self.contract(Int.random(in: 0..<3, using: &random), &random)
            try await harness.change(
                [changed], since: "2026-01-01T00:00:00Z", request: "r\(round)")
        }
        try await harness.settle()
        let report = try await harness.reports.reconcile()
        #expect(report.drifts.isEmpty)
        #expect(report.rowsCompared > 20)
        await harness.stop()
    }
}
