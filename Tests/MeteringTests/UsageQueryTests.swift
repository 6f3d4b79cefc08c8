import Entitlements
import Foundation
import Metering
import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

/// Usage by window, filtered and split, page by page.
@Suite struct UsageQueryTests {
    let folder: TemporaryFolder
    let clock = TestClock("2026-11-21T10:20:30Z")

    init() throws { folder = try TemporaryFolder() }

    private func harness(zone: String) async throws -> MeteringHarness {
        let file = FileManager.default.contents(atPath: "/usr/share/zoneinfo/" + zone)
        let rules = file.flatMap { TimeZoneRules(name: zone, tzif: Array($0)) }
        let contract = CustomerContract(
            id: "acme",
            profile: Dated(CustomerProfile(timeZone: zone, subjects: [.init("key_1")])),
            subscriptions: [
                .init(
                    id: "s",
                    terms: Dated(Contracts.subscription("basic", from: "2026-01-01T00:00:00Z")))
            ])
        let snapshot = try CatalogSnapshot.compile(
            Contracts.catalog, contracts: [contract], revision: 1, hash: MeteringHarness.hash,
            zone: { $0 == "UTC" ? .utc : rules }
        ).get()
        return try await MeteringHarness(folder.path, snapshot, clock: clock)
    }

    private func send(_ harness: MeteringHarness, count: Int, seed: UInt64) async throws {
        var random = SeededRandom(seed: seed)
        let now = clock.now
        try await harness.send(
            (0..<count).map { number in
                Sample.event(
                    "e\(number)", tokens: "\(number)",
                    time: now.adding(seconds: -.random(in: 0..<(60 * 86_400), using: &random))
                        .rfc3339(),
                    model: "m\(Int.random(in: 0..<5, using: &random))")
            })
        try await harness.settle()
    }

    private func query(
        _ window: UsageWindow = .day, _ groupBy: [String] = [], _ filters: [String] = [],
        limit: Int = UsageQuery.limitMax, cursor: String? = nil
    ) -> UsageQuery {
        UsageQuery(
            customer: "acme", feature: "tokens", from: Timestamp(rfc3339: "2026-09-01T00:00:00Z"),
            window: window, groupBy: groupBy, filters: filters, limit: limit, cursor: cursor)
    }

    private func text(_ window: UsageReport.Window) -> String {
        "\(window.start.rfc3339()) \(window.end.rfc3339()) \(window.group) \(window.value)"
            + " \(window.count)"
    }

    @Test(arguments: UsageWindow.allCases)
    func pagesAreTheWhole(_ window: UsageWindow) async throws {
        let harness = try await harness(zone: "Europe/Berlin")
        try await send(harness, count: 400, seed: 1)
        let whole = try harness.reports.usage(query(window, ["model"]))
        #expect(whole.next == nil && whole.windows.count > 10)
        for limit in [1, 7, whole.windows.count] {
            var found: [String] = []
            var cursor: String?
            repeat {
                let page = try harness.reports.usage(
                    query(window, ["model"], limit: limit, cursor: cursor))
                #expect(page.windows.count <= limit)
                found += page.windows.map(text)
                cursor = page.next
            } while cursor != nil
            #expect(found == whole.windows.map(text))
        }
        await harness.stop()
    }

    @Test func filtersChooseAndAddUp() async throws {
        let harness = try await harness(zone: "UTC")
        try await send(harness, count: 200, seed: 2)
        let byModel = try harness.reports.usage(query(.month, ["model"])).windows
        let some = try harness.reports.usage(query(.month, [], ["model:m1", "model:m3"])).windows
        let expected = byModel.filter { ["m1", "m3"].contains($0.group["model"]) }
        #expect(some.reduce(0) { $0 + $1.value } == expected.reduce(0) { $0 + $1.value })
        #expect(some.reduce(0) { $0 + $1.count } == expected.reduce(0) { $0 + $1.count })
        #expect(try harness.reports.usage(query(.day, [], ["model:none"])).windows.isEmpty)
        await harness.stop()
    }

    /// Hours, days and months add up to the same, whatever the zone.
    @Test(arguments: ["UTC", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe"])
    func windowsAreThoseOfTheZone(_ zone: String) async throws {
        let harness = try await harness(zone: zone)
        try await send(harness, count: 150, seed: 3)
        let reports = try UsageWindow.allCases.map { try harness.reports.usage(query($0)).windows }
        #expect(Set(reports.map { $0.reduce(0) { $0 + $1.value } }) == [150 * 149 / 2])
        for hour in reports[0] {
            let inside = reports[1].filter { $0.start <= hour.start && hour.end <= $0.end }
            #expect(inside.count == 1)
        }
        if zone == "Asia/Kolkata" {
            #expect(reports[0].allSatisfy { $0.start.seconds % 3_600 == 1_800 })
        }
        await harness.stop()
    }

    @Test func aMonthIsCutWhereTheQuestionEnds() async throws {
        let harness = try await harness(zone: "UTC")
        try await harness.use(1, at: "2026-11-02T10:00:00Z")
        try await harness.use(2, at: "2026-11-20T10:00:00Z")
        var question = query(.month)
        #expect(try harness.reports.usage(question).windows.map(\.value) == [3])
        question.to = Timestamp(rfc3339: "2026-11-10T00:00:00Z")
        #expect(try harness.reports.usage(question).windows.map(\.value) == [1])
        await harness.stop()
    }

    @Test func badQuestionsAreRefused() async throws {
        let harness = try await harness(zone: "UTC")
        try await send(harness, count: 20, seed: 4)
        let cursor = try #require(
            try harness.reports.usage(query(.day, ["model"], limit: 1)).next)
        let bad: [(UsageQuery, String)] = [
            (query(.day, ["size"]), "no dimension size; it has model"),
            (query(.day, ["model", "model"]), "twice"),
            (query(.day, [], ["model"]), "dimension:value"),
            (query(.day, [], ["size:1"]), "no dimension size"),
            (query(.day, [], [], limit: 0), "limit must be"),
            (query(.day, [], [], cursor: "x"), "not one that a page returned"),
            (query(.day, [], [], cursor: ""), "not one that a page returned"),
            (query(.day, ["model"], ["model:m1"], cursor: cursor), "another question"),
            (query(.hour, ["model"], cursor: cursor), "another question"),
            (query(.day, [], cursor: cursor), "another question"),
        ]
        for (question, message) in bad {
            let error = #expect(throws: QueryError.self) { try harness.reports.usage(question) }
            #expect(error?.code == .invalid)
            #expect(error?.message.contains(message) == true, "\(error?.message ?? "none")")
        }
        await harness.stop()
    }
}
