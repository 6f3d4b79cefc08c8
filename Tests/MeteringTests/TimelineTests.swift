import Entitlements
import Foundation
import Metering
import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

/// Metering of customers whose contracts change in time.
@Suite struct TimelineTests {
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

    /// N9: an event is scored by what was in force at its own time, whenever it comes.
    @Test func eventsAreScoredByThePlanOfTheirTime() async throws {
        let harness = try await harness([
            Contracts.customer(
                "acme",
                [
                    Contracts.subscription(
                        "basic", from: "2026-01-01T00:00:00Z", to: "2026-11-15T00:00:00Z"),
                    Contracts.subscription("pro", from: "2026-11-15T00:00:00Z"),
                ])
        ])
        try await harness.use(700, at: "2026-11-10T10:00:00Z")
        #expect(try harness.openCrossings() == [])
        // Past 800, but at a time when 5,000 was the limit.
        try await harness.use(200, at: "2026-11-20T10:00:00Z")
        #expect(try harness.openCrossings() == [])
        // A late one from before: its limit was 1,000, which the period has reached with it.
        try await harness.use(150, at: "2026-11-12T10:00:00Z")
        #expect(try harness.openCrossings() == ["acme 100% of 1000"])
        let sources = try harness.ledger.crossings(customer: nil, since: nil, after: 0, limit: 9)
            .map(\.crossing.source)
        #expect(sources == ["plan basic v1"])
        try await harness.use(3_000, at: "2026-11-20T11:00:00Z")
        #expect(
            try harness.openCrossings() == ["acme 100% of 1000", "acme 80% of 5000"])
        #expect(try harness.row("acme", "2026-11-01", "2026-12-01") == 4_050)
        try await expectClean(harness)
        await harness.stop()
    }

    /// Two stretches of entitlements in one commit: each delta is scored by its own.
    @Test func oneCommitScoresBothSidesOfAChange() async throws {
        let harness = try await harness([
            Contracts.customer(
                "acme",
                [
                    Contracts.subscription(
                        "basic", from: "2026-01-01T00:00:00Z", to: "2026-11-15T12:30:00Z"),
                    Contracts.subscription("pro", from: "2026-11-15T12:30:00Z"),
                ])
        ])
        try await harness.send([
            Sample.event("1", tokens: "850", time: "2026-11-15T12:29:59Z"),
            Sample.event("2", tokens: "150", time: "2026-11-15T12:30:00Z"),
            Sample.event("3", tokens: "3000", time: "2026-11-15T12:30:01Z"),
        ])
        try await harness.settle()
        #expect(try harness.openCrossings() == ["acme 80% of 1000", "acme 80% of 5000"])
        #expect(try harness.row("acme", "2026-11-01", "2026-12-01") == 4_000)
        try await expectClean(harness)
        await harness.stop()
    }

    @Test func anotherPeriodTakesTheUsageOver() async throws {
        let month = Contracts.subscription(
            "basic", from: "2026-01-01T00:00:00Z", to: "2026-11-21T10:00:00Z")
        let harness = try await harness([
            Contracts.customer(
                "acme", [Contracts.subscription("basic", from: "2026-01-01T00:00:00Z")])
        ])
        try await harness.use(300, at: "2026-09-30T23:59:59Z")
        try await harness.use(400, at: "2026-11-02T00:00:00Z")
        try await harness.use(9_500, at: "2026-11-21T09:59:59Z")
        let restated = try await harness.change([
            Contracts.customer(
                "acme", [month, Contracts.subscription("yearly", from: "2026-11-21T10:00:00Z")])
        ])
        #expect(try harness.row("acme", "2026-01-01", "2027-01-01") == 10_200)
        // Nothing before now is different, so nothing is adjusted.
        #expect(restated.lines.isEmpty)
        #expect(try harness.openCrossings() == ["acme 80% of 12000"])
        try await harness.use(7, at: "2026-11-21T10:00:00Z")
        try await harness.use(5, at: "2026-10-01T00:00:00Z")
        #expect(try harness.row("acme", "2026-01-01", "2027-01-01") == 10_212)
        // The month in which it changed goes on too: half of it was under its rule.
        #expect(try harness.row("acme", "2026-11-01", "2026-12-01") == 9_907)
        try await expectClean(harness)
        await harness.stop()
    }

    @Test func aBackdatedUpgradeIsRestatedAndUndone() async throws {
        let basic = Contracts.customer(
            "acme", [Contracts.subscription("basic", from: "2026-01-01T00:00:00Z")])
        let harness = try await harness([basic])
        try await harness.use(1_200, at: "2026-10-05T10:00:00Z")
        try await harness.use(900, at: "2026-11-12T10:00:00Z")
        let before = ["acme 100% of 1000", "acme 80% of 1000", "acme 80% of 1000"]
        #expect(try harness.openCrossings() == before)
        let upgraded = Contracts.customer(
            "acme",
            [
                Contracts.subscription(
                    "basic", from: "2026-01-01T00:00:00Z", to: "2026-10-01T00:00:00Z"),
                Contracts.subscription("pro", from: "2026-10-01T00:00:00Z"),
            ])
        let up = try await harness.change(
            [upgraded], since: "2026-10-01T00:00:00Z", request: "up")
        #expect(up.crossingsResolved.count == 3 && up.crossingsAppeared.isEmpty)
        #expect(try harness.openCrossings() == [])
        #expect(up.lines.map(\.used) == [1_200, 900])
        #expect(up.lines.map(\.overageBefore) == [200, 0])
        #expect(up.lines.map(\.overageAfter) == [0, 0])
        #expect(up.lines.map(\.limitAfter) == [.finite(5_000), .finite(5_000)])
        let undone = try await harness.change(
            [basic], since: "2026-10-01T00:00:00Z", request: "undo")
        #expect(undone.crossingsAppeared.sorted() == up.crossingsResolved.sorted())
        #expect(try harness.openCrossings() == before)
        #expect(undone.lines.map(\.overageAfter) == [200, 0])
        let listed = try harness.ledger.adjustments(customer: "acme").filter { $0.cause != nil }
        #expect(listed.map(\.cause?.requestID) == ["up", "up", "undo", "undo"])
        // The same change told again lists nothing twice.
        try await harness.change([basic], since: "2026-10-01T00:00:00Z", request: "undo")
        #expect(
            try harness.ledger.adjustments(customer: "acme").filter { $0.cause != nil }.count == 4)
        try await expectClean(harness)
        await harness.stop()
    }

    /// A rule taken away in the past leaves its rows behind; brought back, they are whole again.
    @Test func aRuleThatComesBackFindsItsUsage() async throws {
        let monthly = Contracts.customer(
            "acme", [Contracts.subscription("basic", from: "2026-01-01T00:00:00Z")])
        let yearly = Contracts.customer(
            "acme", [Contracts.subscription("yearly", from: "2026-01-01T00:00:00Z")])
        let harness = try await harness([monthly])
        try await harness.use(10, at: "2026-11-02T10:00:00Z")
        try await harness.change([yearly], since: "2026-01-01T00:00:00Z", request: "a")
        try await harness.use(20, at: "2026-11-21T09:00:00Z")
        #expect(try harness.row("acme", "2026-11-01", "2026-12-01") == 10)
        try await expectClean(harness)
        try await harness.change([monthly], since: "2026-01-01T00:00:00Z", request: "b")
        #expect(try harness.row("acme", "2026-11-01", "2026-12-01") == 30)
        try await expectClean(harness)
        await harness.stop()
    }

    @Test func aScheduledChangeTakesEffectAtItsBoundary() async throws {
        let harness = try await harness([
            Contracts.customer(
                "acme", [Contracts.subscription("pro", from: "2026-01-01T00:00:00Z")])
        ])
        try await harness.use(900, at: "2026-11-20T10:00:00Z")
        try await harness.change([
            Contracts.customer(
                "acme",
                [
                    Contracts.subscription(
                        "pro", from: "2026-01-01T00:00:00Z", to: "2026-11-22T00:00:00Z"),
                    Contracts.subscription(
                        "basic", from: "2026-11-22T00:00:00Z", to: "2026-11-23T00:00:00Z"),
                    Contracts.subscription("yearly", from: "2026-11-23T00:00:00Z"),
                ])
        ])
        #expect(try harness.openCrossings() == [])
        clock.set("2026-11-22T00:00:00Z")
        let lowered = try await harness.boundaryPassed(["acme"])
        #expect(lowered.crossingsAppeared.count == 1)
        #expect(try harness.openCrossings() == ["acme 80% of 1000"])
        clock.set("2026-11-23T00:00:00Z")
        let raised = try await harness.boundaryPassed(["acme"])
        #expect(raised.crossingsResolved == lowered.crossingsAppeared)
        #expect(try harness.row("acme", "2026-01-01", "2027-01-01") == 900)
        try await expectClean(harness)
        await harness.stop()
    }

    /// Extra units move the levels of the limit that they are added to.
    @Test func aGrantLetsCrossingsFollow() async throws {
        let basic = Contracts.customer(
            "acme", [Contracts.subscription("basic", from: "2026-01-01T00:00:00Z")])
        let harness = try await harness([basic])
        try await harness.use(1_100, at: "2026-11-20T10:00:00Z")
        #expect(try harness.openCrossings() == ["acme 100% of 1000", "acme 80% of 1000"])
        var granted = basic
        granted.grants = [
            .init(
                id: "gr_1",
                terms: Dated(
                    GrantTerms(
                        feature: "tokens", amount: 1_000,
                        start: try #require(Timestamp(rfc3339: "2026-11-01T00:00:00Z")),
                        reason: "goodwill")))
        ]
        let given = try await harness.change(
            [granted], since: "2026-11-01T00:00:00Z", request: "give")
        #expect(try harness.openCrossings() == [])
        #expect(given.lines.map(\.limitAfter) == [.finite(2_000)])
        #expect(given.lines.map(\.overageBefore) == [100])
        #expect(given.lines.map(\.overageAfter) == [0])
        try await harness.use(500, at: "2026-11-20T11:00:00Z")
        #expect(try harness.openCrossings() == ["acme 80% of 2000"])
        let taken = try await harness.change(
            [basic], since: "2026-11-01T00:00:00Z", request: "take")
        #expect(taken.lines.map(\.overageAfter) == [600])
        // 80 % stands as it was announced; 100 % is passed again.
        #expect(try harness.openCrossings() == ["acme 100% of 1000", "acme 80% of 2000"])
        try await expectClean(harness)
        await harness.stop()
    }

    @Test func admissionsThatARevocationReachesAreNamed() async throws {
        let subscription = Contracts.subscription("basic", from: "2026-01-01T00:00:00Z")
        let harness = try await harness([Contracts.customer("acme", [subscription])])
        let fields = { (id: String) in
            ControlEvent.Fields([
                .customer: "acme", .feature: "api_calls", .meter: "requests", .quantity: "400",
                .instance: "a", .request: id, .answer: "",
            ])
        }
        for (id, time) in [
            ("q1", "2026-11-18T10:00:00Z"), ("q2", "2026-11-20T10:00:00Z"),
            ("q3", "2026-11-20T11:00:00Z"),
        ] {
            let event = ControlEvent.encode(
                type: ControlEvent.admissionType, id: id, time: time, fields: fields(id),
                key: MeteringHarness.hash)
            try await harness.recorder.record([AcceptedEvent(key: "k", json: event)])
        }
        try await harness.settle()
        var revoked = Contracts.customer("acme", [subscription])
        revoked.revocations = [
            .init(
                id: "rv_1",
                terms: Dated(
                    RevocationTerms(
                        product: .default,
                        start: try #require(Timestamp(rfc3339: "2026-11-19T00:00:00Z")),
                        reason: "overdue")))
        ]
        let taken = try await harness.change([revoked], since: "2026-11-19T00:00:00Z")
        #expect(taken.admissionsAffected == ["q2", "q3"] && taken.admissionsAffectedCount == 2)
        let back = try await harness.change(
            [Contracts.customer("acme", [subscription])], since: "2026-11-19T00:00:00Z")
        #expect(back.admissionsAffectedCount == 0)
        var lowered = Contracts.customer("acme", [subscription])
        lowered.overrides = [
            .init(
                id: "ov_1",
                terms: Dated(
                    OverrideTerms(
                        feature: "api_calls", value: .metered(.init(limit: .finite(800))),
                        start: try #require(Timestamp(rfc3339: "2026-11-19T00:00:00Z")),
                        reason: "was agreed")))
        ]
        let less = try await harness.change([lowered], since: "2026-11-19T00:00:00Z")
        #expect(less.admissionsAffected == ["q3"])
        #expect(less.lines.map(\.overageAfter) == [400])
        try await expectClean(harness)
        await harness.stop()
    }
}
