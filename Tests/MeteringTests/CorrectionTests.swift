import Entitlements
import Metering
import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

@Suite("Corrections of single events")
struct CorrectionTests {
    let folder: TemporaryFolder
    let clock = TestClock("2026-11-21T10:20:30Z")

    init() throws { folder = try TemporaryFolder() }

    private func open(
        ledger: String = "a", limit: Int64 = 500, recounts: Bool = true
    ) async throws -> MeteringHarness {
        let snapshot = try MeteringHarness.compile(
            EveryAggregation.catalog(limit: limit),
            [
                EveryAggregation.customer("acme", "key_1"),
                EveryAggregation.customer("beta", "key_2"),
            ])
        return try await MeteringHarness(
            folder.path, snapshot, clock: clock, ledger: ledger, recounts: recounts)
    }

    private func november(
        _ harness: MeteringHarness, _ customer: CustomerID = "acme"
    ) throws -> [String: Int64] {
        var values: [String: Int64] = [:]
        for aggregation in Aggregation.allCases {
            let name = aggregation.rawValue
            values[name] = try harness.row(
                customer, "2026-11-01", "2026-12-01", meter: MeterKey(name))
        }
        return values
    }

    /// Why a correction is refused.
    private func problem(
        _ harness: MeteringHarness, _ action: CorrectionRecord.Action, _ id: String,
        reason: String? = "a test", data: String? = nil, time: String? = nil,
        subject: String? = nil, principal: Principal = .local
    ) async -> ControlProblem? {
        do throws(ControlProblem) {
            try await harness.correct(
                action, id, reason: reason, data: data, time: time, subject: subject,
                principal: principal)
            Issue.record("no error was thrown")
            return nil
        } catch {
            return error
        }
    }

    @Test func everyAggregationFollowsVoidAmendAndRestore() async throws {
        let harness = try await open()
        try await harness.use(5, at: "2026-11-21T08:00:00Z", id: "small")
        try await harness.use(70, at: "2026-11-21T10:00:00Z", id: "large")
        try await harness.use(20, at: "2026-11-21T09:00:00Z", id: "middle")
        let whole =
            [
                "count": 3, "sum": 95, "max": 70, "min": 5, "latest": 70, "unique": 3, "avg": 95,
            ] as [String: Int64]
        #expect(try november(harness) == whole)

        let void = try await harness.correct(.void, "large")
        #expect(void["state"]?.text == "applied")
        #expect(void["customer"]?.text == "acme")
        try await harness.settle()
        #expect(
            try november(harness) == [
                "count": 2, "sum": 25, "max": 20, "min": 5, "latest": 20, "unique": 2, "avg": 25,
            ])
        #expect(try await harness.reports.reconcile().drifts == [])

        try await harness.correct(.amend, "small", data: #"{"total_tokens":40}"#)
        try await harness.settle()
        #expect(
            try november(harness) == [
                "count": 2, "sum": 60, "max": 40, "min": 20, "latest": 20, "unique": 2, "avg": 60,
            ])
        #expect(try await harness.reports.reconcile().drifts == [])

        try await harness.correct(.restore, "large")
        try await harness.correct(.restore, "small")
        try await harness.settle()
        #expect(try november(harness) == whole)
        #expect(try await harness.reports.reconcile().drifts == [])
        #expect(harness.records.all.count == 4)
        let rows = try harness.keptRows()
        await harness.stop()

        // All of it once more, from the log alone.
        let rebuilt = try await open(ledger: "b")
        #expect(try rebuilt.keptRows() == rows)
        #expect(try await rebuilt.reports.reconcile().drifts == [])
        await rebuilt.stop()
    }

    @Test func theLastEventCanGo() async throws {
        let harness = try await open()
        try await harness.use(7, at: "2026-11-21T08:00:00Z", id: "only")
        try await harness.correct(.void, "only")
        try await harness.settle()
        #expect(Set(try november(harness).values) == [0])
        #expect(try await harness.reports.reconcile().drifts == [])
        #expect(try harness.ledger.totals().allSatisfy { $0.count == 0 })
        // The identity stays taken.
        try await harness.use(7, at: "2026-11-21T08:00:00Z", id: "only")
        #expect(Set(try november(harness).values) == [0])
        try await harness.correct(.restore, "only")
        try await harness.settle()
        #expect(try november(harness)["max"] == 7)
        #expect(try await harness.reports.reconcile().drifts == [])
        await harness.stop()
    }

    @Test func theSameCorrectionAgainChangesNothing() async throws {
        let harness = try await open()
        try await harness.use(7, at: "2026-11-21T08:00:00Z", id: "one")
        try await harness.use(9, at: "2026-11-21T08:00:01Z", id: "two")
        let first = try await harness.correct(.void, "one")
        #expect(try await harness.correct(.void, "one") == first)
        #expect(try await harness.correct(.void, "one", reason: "another reason") == first)
        let amended = try await harness.correct(.amend, "two", data: #"{"total_tokens":3}"#)
        #expect(try await harness.correct(.amend, "two", data: #"{"total_tokens":3}"#) == amended)
        try await harness.settle()
        #expect(try november(harness)["sum"] == 3)
        #expect(harness.records.all.count == 2)
        let restored = try await harness.correct(.restore, "one")
        #expect(try await harness.correct(.restore, "one") == restored)
        let again = try await harness.correct(.void, "one")
        #expect(again["number"]?.integer == 3)
        try await harness.settle()
        #expect(try november(harness)["sum"] == 3)
        let page = try harness.corrector.corrections(
            customer: "acme", principal: .local, cursor: nil, limit: 10)
        #expect(page.body["items"]?.elements?.count == 4)
        await harness.stop()
    }

    @Test func twoAtOnceCountOnce() async throws {
        let harness = try await open()
        try await harness.use(7, at: "2026-11-21T08:00:00Z", id: "one")
        try await harness.use(9, at: "2026-11-21T08:00:01Z", id: "two")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask { _ = try await harness.correct(.void, "one") }
            }
            try await group.waitForAll()
        }
        try await harness.settle()
        #expect(try november(harness)["sum"] == 9)
        #expect(try await harness.reports.reconcile().drifts == [])
        await harness.stop()
    }

    @Test func aDuplicateMeansTheEventThatWasCounted() async throws {
        let harness = try await open()
        try await harness.use(7, at: "2026-11-21T08:00:00Z", id: "one")
        try await harness.use(100, at: "2026-11-21T08:00:01Z", id: "one")
        let void = try await harness.correct(.void, "one")
        try await harness.settle()
        #expect(try november(harness)["sum"] == 0)
        #expect(void["position"]?["offset"]?.integer == 2)
        await harness.stop()
    }

    @Test func whatCannotBeCorrectedIsRefusedWithAReason() async throws {
        let harness = try await open()
        try await harness.use(7, at: "2026-11-21T08:00:00Z", id: "one")
        try await harness.send([Sample.event("lost", subject: "key_unknown")])
        try await harness.settle()
        #expect(await problem(harness, .void, "none")?.kind == .notFound)
        #expect(await problem(harness, .void, "none")?.code == "unknown_event")
        #expect(await problem(harness, .void, "lost")?.code == "not_counted")
        #expect(await problem(harness, .restore, "one")?.code == "not_corrected")
        #expect(await problem(harness, .void, "one", reason: nil)?.field == "reason")
        #expect(await problem(harness, .amend, "one")?.code == "missing")
        let text = await problem(harness, .amend, "one", data: #"{"total_tokens":"many"}"#)
        #expect(text?.code == "invalid_value")
        let same = await problem(harness, .amend, "one", data: #"{"total_tokens":7}"#)
        #expect(same?.code == "nothing_changed")
        let future = await problem(harness, .amend, "one", time: "2026-11-21T11:00:00Z")
        #expect(future?.code == "time_in_future")
        let stranger = await problem(harness, .amend, "one", subject: "key_none")
        #expect(stranger?.code == "unknown_subject")
        let bound = Principal(id: "k", scopes: [.writeLimits], customer: "beta")
        #expect(
            await problem(harness, .void, "one", principal: bound)?.code == "wrong_customer")
        #expect(try november(harness)["sum"] == 7)
        #expect(harness.records.all.isEmpty)
        await harness.stop()
    }

    @Test func anAmendMovesAnEventInTimeAndToAnotherCustomer() async throws {
        let harness = try await open()
        try await harness.use(7, at: "2026-11-02T08:00:00Z", id: "one")
        try await harness.use(9, at: "2026-11-02T08:10:00Z", id: "two")
        try await harness.correct(.amend, "one", time: "2026-10-31T23:00:00Z")
        try await harness.settle()
        #expect(try harness.row("acme", "2026-10-01", "2026-11-01", meter: "sum") == 7)
        #expect(try harness.row("acme", "2026-10-01", "2026-11-01", meter: "max") == 7)
        #expect(try november(harness)["sum"] == 9)
        #expect(try november(harness)["min"] == 9)
        try await harness.correct(.amend, "two", subject: "key_2")
        try await harness.settle()
        #expect(try november(harness)["sum"] == 0)
        #expect(try november(harness, "beta")["max"] == 9)
        #expect(try await harness.reports.reconcile().drifts == [])
        await harness.stop()
    }

    @Test func aClosedPeriodGetsAnAdjustmentForEachRow() async throws {
        let harness = try await open()
        try await harness.use(7, at: "2026-10-05T08:00:00Z", id: "one")
        try await harness.use(9, at: "2026-10-05T08:00:00Z", id: "two")
        let late = try harness.ledger.adjustments(customer: "acme").count
        try await harness.correct(.void, "two")
        try await harness.settle()
        let made = try harness.ledger.adjustments(customer: "acme").dropFirst(late)
        #expect(made.allSatisfy { $0.correction?.eventID == "two" && $0.cause == nil })
        var values: [String: Int64] = [:]
        for adjustment in made { values[adjustment.key.meter.rawValue] = adjustment.value }
        #expect(
            values == [
                "sum": -9, "count": -1, "avg": -9, "max": -2, "latest": -2, "min": 0, "unique": -1,
            ])
        #expect(made.allSatisfy { $0.count == -1 })
        await harness.stop()
    }

    @Test func crossingsAreResolvedAndOpenedAgain() async throws {
        let harness = try await open(limit: 100)
        try await harness.use(60, at: "2026-11-21T08:00:00Z", id: "one")
        try await harness.use(90, at: "2026-11-21T09:00:00Z", id: "two")
        let open = try harness.openCrossings()
        #expect(!open.isEmpty)
        let before = try harness.crossingFeed().count
        try await harness.correct(.void, "two")
        try await harness.settle()
        #expect(try harness.openCrossings().isEmpty)
        try await harness.correct(.restore, "two")
        try await harness.settle()
        #expect(try harness.openCrossings() == open)
        let feed = try harness.crossingFeed().dropFirst(before)
        #expect(feed.filter { $0 == .resolved }.count == open.count)
        #expect(feed.filter { $0 == .reopened }.count == open.count)
        #expect(feed.filter { $0 == .reached }.isEmpty)
        await harness.stop()
    }

    @Test func aStopBeforeTheRecountLosesNothing() async throws {
        // Commits corrections and never comes to make rows anew, as if it died in between.
        var harness = try await open(recounts: false)
        try await harness.use(7, at: "2026-11-21T08:00:00Z", id: "one")
        try await harness.use(70, at: "2026-11-21T08:00:00Z", id: "two")
        try await harness.correct(.void, "two")
        try await harness.settle()
        #expect(try november(harness)["sum"] == 7)
        #expect(try november(harness)["max"] == 70)
        #expect(try harness.ledger.pendingCorrections(limit: 9).count == 1)
        await harness.stop()
        harness = try await open()
        try await harness.settle()
        #expect(try november(harness)["max"] == 7)
        #expect(try harness.ledger.pendingCorrections(limit: 9).isEmpty)
        #expect(try await harness.reports.reconcile().drifts == [])
        await harness.stop()
    }
}

/// What the gate sees of corrections.
@Suite struct CorrectedCounterTests {
    let folder: TemporaryFolder
    let clock = TestClock("2026-11-21T10:20:30Z")

    init() throws { folder = try TemporaryFolder() }

    private func corrector(_ service: EmbeddedService) -> EventCorrector {
        let catalog = service.catalog
        return EventCorrector(
            .init(
                writer: service.journal, replay: JournalReplay(service.journal),
                queries: service.ledger, catalog: catalog, records: MemoryRecords(),
                isInTree: { $0 == $1 },
                owner: { _, _ in "acme" }, clock: clock.wall), settings: MeteringSettings())
    }

    private func correct(
        _ service: EmbeddedService, _ action: CorrectionRecord.Action, _ id: String
    ) async throws {
        _ = try await corrector(service).correct(
            CorrectionOrder(action: action, source: "/api", eventID: id),
            CommandContext(principal: .local, requestID: "r", reason: "a test"), digest: "")
        try await service.settle()
    }

    @Test func theGateAndTheNearLimitListFollow() async throws {
        var catalog = Sample.catalog(tokenLimit: .finite(100), enforcement: .hard)
        catalog.plans[0].entitlements["tokens"] = .metered(
            MeteredEntitlement(
                limit: .finite(100), period: .month, thresholds: [.share(basisPoints: 8_000)],
                enforcement: .hard))
        let service = try await EmbeddedService(folder.path, catalog, clock: clock)
        try await service.send([
            Sample.event("one", tokens: "60"), Sample.event("two", tokens: "40"),
        ])
        try await service.settle()
        #expect(try !service.check("acme", "tokens").isAllowed)
        try await correct(service, .void, "two")
        let open = try service.check("acme", "tokens", 40)
        #expect(open.isAllowed && open.used == 60)
        #expect(try service.check("acme", "tokens", 41).isAllowed == false)
        let near = try service.reports.nearLimit(overBasisPoints: 0, limit: 10, cursor: nil)
        #expect(near.entries.first { $0.feature == "tokens" }?.used == 60)
        // Usage after a correction still reaches the counter, whose row has fewer events now.
        try await service.send([Sample.event("three", tokens: "5")])
        try await service.settle()
        #expect(try service.check("acme", "tokens").used == 65)
        try await correct(service, .restore, "two")
        #expect(try !service.check("acme", "tokens").isAllowed)
        #expect(try await service.reports.reconcile().drifts == [])
        await service.stop()
    }

    @Test func anAdmissionIsNotCorrected() async throws {
        let service = try await EmbeddedService(folder.path, Sample.catalog(), clock: clock)
        _ = try await service.consume("acme", "api_calls", 1, id: "c1")
        try await service.settle()
        var code: String?
        do throws(ControlProblem) {
            _ = try await corrector(service).correct(
                CorrectionOrder(
                    action: .void, source: "tollgate:4:acme:api_calls", eventID: "c1"),
                CommandContext(principal: .local, requestID: "r", reason: "a test"), digest: "")
        } catch {
            code = error.code
        }
        #expect(code == "not_correctable")
        await service.stop()
    }
}
