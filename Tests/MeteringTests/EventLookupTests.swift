import Metering
import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

@Suite("Single events behind usage")
struct EventLookupTests {
    let folder: TemporaryFolder
    let clock = TestClock("2026-11-21T10:20:30Z")

    init() throws { folder = try TemporaryFolder() }

    private func open() async throws -> MeteringHarness {
        let snapshot = try MeteringHarness.compile(
            EveryAggregation.catalog(),
            [
                EveryAggregation.customer("acme", "key_1"),
                EveryAggregation.customer("acme-team", "key_2", parent: "acme"),
            ])
        return try await MeteringHarness(folder.path, snapshot, clock: clock)
    }

    private func lookup(_ harness: MeteringHarness) -> LogEventLookup {
        LogEventLookup(
            replay: harness.replay, queries: harness.ledger, catalog: harness.catalog,
            settings: MeteringSettings())
    }

    private func all(
        _ harness: MeteringHarness, _ customer: CustomerID, _ meter: MeterKey = "sum",
        from: String = "2026-11-21T00:00:00Z", to: String = "2026-11-22T00:00:00Z", limit: Int = 2
    ) async throws -> [ExplainedEvent] {
        var found: [ExplainedEvent] = []
        var cursor: String?
        repeat {
            let page = try await lookup(harness).events(
                customer: customer, meter: meter,
                from: try #require(Timestamp(rfc3339: from)),
                to: try #require(Timestamp(rfc3339: to)), cursor: cursor, limit: limit)
            #expect(page.events.count <= limit)
            found += page.events
            cursor = page.next
        } while cursor != nil
        return found
    }

    @Test func eventsOfTheTreeComeByPagesInTheOrderOfTheLog() async throws {
        let harness = try await open()
        try await harness.use(1, at: "2026-11-20T23:59:59Z", id: "before")
        try await harness.use(2, at: "2026-11-21T09:00:00Z", id: "b")
        try await harness.use(3, "key_2", at: "2026-11-21T08:00:00Z", id: "a")
        try await harness.use(2, at: "2026-11-21T09:00:00Z", id: "b")
        try await harness.use(4, "key_9", at: "2026-11-21T09:30:00Z", id: "stranger")
        try await harness.use(5, at: "2026-11-21T10:00:00Z", id: "c")
        let events = try await all(harness, "acme")
        #expect(events.map(\.id) == ["b", "a", "c"])
        #expect(events.map(\.value) == [2, 3, 5])
        #expect(events.map(\.subject) == ["key_1", "key_2", "key_1"])
        #expect(events.map(\.position.offset) == [1, 2, 5])
        #expect(events.allSatisfy { $0.voidedBy == nil && $0.source == "/api" })
        #expect(try await all(harness, "acme-team").map(\.id) == ["a"])
        #expect(try await all(harness, "acme", "count").map(\.value) == [1, 1, 1])
        await harness.stop()
    }

    @Test func whatStandsAddsUpToUsageAfterCorrections() async throws {
        let harness = try await open()
        for number in 1...4 {
            try await harness.use(
                Int64(number), at: "2026-11-21T0\(number):00:00Z", id: "e\(number)")
        }
        let void = try await harness.correct(.void, "e1")
        let amend = try await harness.correct(.amend, "e2", data: #"{"total_tokens":20}"#)
        try await harness.correct(.void, "e3")
        try await harness.correct(.restore, "e3")
        try await harness.settle()
        let events = try await all(harness, "acme", limit: 50)
        #expect(events.first { $0.id == "e1" }?.voidedBy == void["id"]?.text)
        #expect(events.first { $0.id == "e2" }?.voidedBy == amend["id"]?.text)
        let standing = events.filter { $0.voidedBy == nil }
        #expect(standing.map(\.id) == ["e4", "e2", "e3"])
        #expect(standing.map(\.value).reduce(0, +) == 27)
        #expect(try harness.row("acme", "2026-11-01", "2026-12-01", meter: "sum") == 27)
        await harness.stop()
    }

    @Test func badQuestionsAreAnsweredPlainly() async throws {
        let harness = try await open()
        func code(_ customer: CustomerID, _ meter: MeterKey, _ cursor: String?) async
            -> QueryError.Code?
        {
            do throws(QueryError) {
                _ = try await lookup(harness).events(
                    customer: customer, meter: meter, from: .distantPast, to: clock.now,
                    cursor: cursor, limit: 5)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(await code("nobody", "sum", nil) == .notFound)
        #expect(await code("acme", "none", nil) == .notFound)
        #expect(await code("acme", "sum", "x") == .invalid)
        #expect(await code("acme", "sum", "0:-1") == .invalid)
        #expect(await code("acme", "sum", nil) == nil)
        await harness.stop()
    }
}
