import Entitlements
import Foundation
import Metering
import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

/// Old rollups go, and no total changes.
@Suite struct RetentionTests {
    let folder: TemporaryFolder
    let clock = TestClock("2026-01-10T00:00:00Z")

    init() throws { folder = try TemporaryFolder() }

    private func instant(_ text: String) throws -> Timestamp {
        try #require(Timestamp(rfc3339: text))
    }

    private func query(_ window: UsageWindow, from: String) -> UsageQuery {
        UsageQuery(
            customer: "acme", feature: "tokens", from: Timestamp(rfc3339: from), window: window)
    }

    private func starts(_ harness: MeteringHarness, _ window: RollupWindow) throws -> [Timestamp] {
        try harness.ledger.rollupStarts(
            RollupQuery(
                customer: "acme", meter: "tokens", window: window, from: .distantPast,
                to: .distantFuture), limit: 10_000)
    }

    /// Waits until the pipeline has looked after its rollups.
    private func settleRetention(
        _ harness: MeteringHarness, until isDone: () throws -> Bool
    ) async throws {
        while try !isDone() { try await Task.sleep(for: .milliseconds(5)) }
        try await harness.settle()
    }

    @Test func droppedRollupsAreInTheCoarserOnes() async throws {
        let contracts = [
            Contracts.customer(
                "acme", [Contracts.subscription("basic", from: "2026-01-01T00:00:00Z")])
        ]
        let first = try await MeteringHarness(
            folder.path, try MeteringHarness.compile(Contracts.catalog, contracts), clock: clock)
        var tokens: Int64 = 0
        for month in 1...9 {
            clock.set("2026-0\(month)-21T00:00:00Z")
            for day in 2...20 {
                tokens += 1
                let number = day < 10 ? "0\(day)" : "\(day)"
                try await first.send([
                    Sample.event(
                        "\(month)/\(day)", tokens: "\(tokens)",
                        time: "2026-0\(month)-\(number)T0\(day % 10):30:00Z")
                ])
            }
        }
        try await first.settle()
        let total = try first.ledger.totals().map(\.value)
        let byMonth = try first.reports.usage(query(.month, from: "2026-01-01T00:00:00Z")).windows
        await first.stop()

        clock.set("2026-09-25T00:00:00Z")
        let second = try await MeteringHarness(
            folder.path, try MeteringHarness.compile(Contracts.catalog, contracts), clock: clock,
            changing: {
                $0.hourRollupSeconds = 62 * 86_400
                $0.dayRollupSeconds = 120 * 86_400
            })
        let hoursFrom = try instant("2026-07-25T00:00:00Z")
        let daysFrom = try instant("2026-05-28T00:00:00Z")
        try await settleRetention(second) {
            try starts(second, .hour).first.map { $0 >= hoursFrom } ?? false
                && starts(second, .day).first.map { $0 >= daysFrom } ?? false
        }
        #expect(
            try second.ledger.rollupsKept() == RollupsKept(hoursFrom: hoursFrom, daysFrom: daysFrom)
        )
        #expect(try second.ledger.totals().map(\.value) == total)
        #expect(
            try second.reports.usage(query(.month, from: "2026-01-01T00:00:00Z")).windows
                .map(\.value) == byMonth.map(\.value))
        #expect(try await second.reports.reconcile().drifts == [])
        // What is gone is said to be gone.
        for (window, from, wider) in [
            (UsageWindow.hour, "2026-07-24T00:00:00Z", "window=day"),
            (.day, "2026-05-31T00:00:00Z", "window=month"),
        ] {
            let error = #expect(throws: QueryError.self) {
                try second.reports.usage(query(window, from: from))
            }
            #expect(error?.code == .windowNotKept && error?.message.contains(wider) == true)
        }
        #expect(
            try second.reports.usage(query(.day, from: "2026-06-01T00:00:00Z")).windows.count
                == 4 * 19)
        // Stretches still add up to everything: months, days and hours meet without a gap.
        let usage = CutUsage(queries: second.ledger, catalog: second.catalog)
        let year = Period(
            start: try instant("2026-01-01T00:00:00Z"), end: try instant("2027-01-01T00:00:00Z"))
        let cuts = try [
            "2026-03-05T12:00:00Z", "2026-06-01T00:00:00Z", "2026-07-02T07:15:00Z",
            "2026-09-20T00:45:00Z", "2027-01-01T00:00:00Z",
        ].map(instant)
        let states = try usage.states(
            customer: "acme", meter: "tokens", period: year, upTo: cuts)
        #expect(states.last?.value == tokens * (tokens + 1) / 2)
        #expect(states[1].value == byMonth.prefix(5).reduce(0) { $0 + $1.value })
        #expect(zip(states, states.dropFirst()).allSatisfy { $0.value <= $1.value })
        await second.stop()
    }

    /// A year that is open needs its hours, however short they are kept otherwise.
    @Test func openPeriodsKeepTheirRollups() async throws {
        clock.set("2026-03-01T00:00:00Z")
        let contracts = [
            Contracts.customer(
                "acme", [Contracts.subscription("yearly", from: "2026-01-01T00:00:00Z")])
        ]
        let snapshot = try MeteringHarness.compile(Contracts.catalog, contracts)
        let first = try await MeteringHarness(folder.path, snapshot, clock: clock)
        try await first.use(5, at: "2026-02-03T10:30:00Z")
        await first.stop()
        clock.set("2026-11-21T00:00:00Z")
        let second = try await MeteringHarness(
            folder.path, snapshot, clock: clock, changing: { $0.hourRollupSeconds = 62 * 86_400 })
        let year = try instant("2026-01-01T00:00:00Z")
        try await settleRetention(second) { try second.ledger.rollupsKept().hoursFrom == year }
        #expect(try starts(second, .hour).count == 1)
        await second.stop()
    }
}
