import Entitlements
import Foundation
import Metering
import MeteringModel
import MeteringPorts
import SQLLedger
import Synchronization
import Testing

/// Rows of periods that begin or end inside of an hour, which no rollup can give.
@Suite struct PartHourTests {
    let folder: TemporaryFolder
    let clock = TestClock("2026-11-21T10:00:00Z")

    init() throws { folder = try TemporaryFolder() }

    private func harness(_ contracts: [CustomerContract]) async throws -> MeteringHarness {
        try await MeteringHarness(
            folder.path, try MeteringHarness.compile(Contracts.catalog, contracts), clock: clock)
    }

    private func expectClean(_ harness: MeteringHarness) async throws {
        let report = try await harness.reports.reconcile()
        #expect(report.drifts.isEmpty)
        #expect(report.rowsCompared > 0)
    }

    /// An anchor inside of an hour takes part of that hour from the log.
    @Test func anAnchorInsideOfAnHourIsExact() async throws {
        let harness = try await harness([
            Contracts.customer(
                "acme", [Contracts.subscription("basic", from: "2026-01-01T00:00:00Z")]),
            Contracts.customer("other", subjects: ["key_2"]),
        ])
        try await harness.use(1, at: "2026-11-05T10:23:44Z", id: "a")
        try await harness.use(2, at: "2026-11-05T10:23:45Z", id: "b")
        try await harness.use(2, at: "2026-11-05T10:23:45Z", id: "b")
        try await harness.use(4, at: "2026-11-05T10:59:00Z", id: "c")
        try await harness.use(8, at: "2026-11-06T00:00:00Z", id: "d")
        try await harness.use(100, "key_2", at: "2026-11-05T10:40:00Z", id: "e")
        var anchored = Contracts.subscription("anchored", from: "2026-01-01T00:00:00Z")
        anchored.anchor = Timestamp(rfc3339: "2026-01-05T10:23:45Z")
        let restated = try await harness.change(
            [Contracts.customer("acme", [anchored])], since: "2026-01-01T00:00:00Z")
        let start = try #require(Timestamp(rfc3339: "2026-11-05T10:23:45Z"))
        let end = try #require(Timestamp(rfc3339: "2026-12-05T10:23:45Z"))
        let key = UsageKey(
            customer: "acme", meter: "tokens", period: Period(start: start, end: end))
        let stored = try #require(try harness.ledger.usage(key))
        #expect(stored.state.value == 14 && stored.state.count == 3)
        // Two periods have a limit that they had not, one has lost its own.
        #expect(restated.lines.count == 3)
        try await expectClean(harness)
        await harness.stop()
    }

    /// A log that cannot be read costs the part of an hour, not the period.
    @Test func aLostLogCostsPartOfAnHour() async throws {
        let basic = Contracts.customer(
            "acme", [Contracts.subscription("basic", from: "2026-01-01T00:00:00Z")])
        let harness = try await harness([basic])
        try await harness.use(1, at: "2026-11-05T10:40:00Z")
        try await harness.use(2, at: "2026-11-05T11:00:00Z")
        var terms = Contracts.subscription("anchored", from: "2026-01-01T00:00:00Z")
        terms.anchor = Timestamp(rfc3339: "2026-01-05T10:23:45Z")
        let anchored = Contracts.customer("acme", [terms])
        let restater = Restater(
            ledger: harness.ledger, catalog: harness.catalog, settings: MeteringSettings(),
            recount: { _, _ throws(LedgerError) in
                throw LedgerError(code: .unavailable, message: "no log")
            })
        let (catalog, now) = (harness.catalog, clock.now)
        let result = await harness.pipeline.betweenCommits {
            Result {
                let old = catalog.load()
                let update = try old.updating([anchored], revision: 2).get()
                _ = try restater.restate(
                    old: old, new: update.snapshot, changed: update.changed, since: nil,
                    requestID: "r", now: now)
            }
        }
        #expect(throws: LedgerError.self) { try result.get() }
        let start = try #require(Timestamp(rfc3339: "2026-11-05T10:23:45Z"))
        let end = try #require(Timestamp(rfc3339: "2026-12-05T10:23:45Z"))
        let key = UsageKey(
            customer: "acme", meter: "tokens", period: Period(start: start, end: end))
        #expect(try harness.ledger.usage(key)?.state.value == 2)
        await harness.stop()
    }

    /// Part of an hour of today takes the end of the log, and what was counted is known without
    /// reading the rest.
    @Test func aSliceOfTodayReadsTheEndOfTheLog() async throws {
        clock.set("2026-11-21T08:00:00Z")
        let harness = try await harness([
            Contracts.customer(
                "acme", [Contracts.subscription("basic", from: "2026-01-01T00:00:00Z")])
        ])
        for start in stride(from: 0, to: 9_000, by: 1_000) {
            try await harness.send(
                (start..<start + 1_000).map {
                    Sample.event("e\($0)", tokens: "1", time: "2026-11-20T10:00:00Z")
                })
        }
        clock.set("2026-11-21T10:20:00Z")
        try await harness.use(1, at: "2026-11-21T10:10:14Z", id: "before")
        try await harness.use(2, at: "2026-11-21T10:10:15Z", id: "after")
        try await harness.use(4, at: "2026-11-21T10:19:00Z", id: "later")
        try await harness.use(4, at: "2026-11-21T10:19:00Z", id: "later")
        // An id of yesterday again, with other content: the first one stays.
        try await harness.use(8, at: "2026-11-21T10:19:00Z", id: "e5")
        try await harness.change([
            Contracts.customer(
                "acme",
                [
                    Contracts.subscription(
                        "basic", from: "2026-01-01T00:00:00Z", to: "2026-11-21T10:10:15Z"),
                    Contracts.subscription("anchored", from: "2026-11-21T10:10:15Z"),
                ])
        ])
        let start = try #require(Timestamp(rfc3339: "2026-11-21T10:10:15Z"))
        let end = try #require(Timestamp(rfc3339: "2026-12-21T10:10:15Z"))
        let key = UsageKey(
            customer: "acme", meter: "tokens", period: Period(start: start, end: end))
        #expect(try harness.ledger.usage(key)?.state.value == 6)
        let read = harness.replay.tailRead.load(ordering: .relaxed)
        #expect(read == 4_096)
        try await expectClean(harness)
        await harness.stop()
    }
}
