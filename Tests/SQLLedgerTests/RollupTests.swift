import Foundation
import MeteringModel
import MeteringPorts
import SQLClient
import SQLLedger
import Testing

@Suite("Rollups over the years")
struct RollupTests {
    /// A check against a list of values would: it halved the rows per second.
    @Test func aRowIsWrittenWithoutATableOfItsOwn() throws {
        let fixture = try LedgerFixture()
        let raw = try SQLConnection(
            path: fixture.directory.file("ledger.db"),
            options: .init(synchronous: .normal, isReadOnly: true))
        defer { raw.close() }
        let plan = try raw.statement(
            """
            EXPLAIN INSERT INTO rollups (rollup_window, window_start, customer, meter, dimensions,
                aggregation, count, value)
            VALUES ('hour', 0, 'c', 'm', '{}', 'sum', 1, 1)
            ON CONFLICT (rollup_window, window_start, customer, meter, dimensions) DO UPDATE SET
                count = rollups.count + excluded.count
            """)
        defer { plan.reset() }
        var steps: Set<String> = []
        while try plan.step() { steps.insert(plan.string(at: 1)) }
        #expect(steps.contains("IdxInsert"))
        #expect(!steps.contains("OpenEphemeral"))
    }

    private func query(_ window: RollupWindow) -> RollupQuery {
        RollupQuery(
            customer: "acme", meter: "tokens", window: window, from: .distantPast,
            to: .distantFuture)
    }

    private func values(_ ledger: SQLLedger, _ window: RollupWindow) throws -> [Int64] {
        try ledger.rollups(query(window)).map(\.state.value)
    }

    /// A ledger as the version before months left it.
    private func oldLedger() throws -> TemporaryDirectory {
        var fixture = try LedgerFixture()
        var batch = fixture.batch()
        for day in 0..<60 {
            let start = instant.adding(seconds: Int64(day) * 86_400)
            batch.rollups.append(rollup(1, window: .day, start: start))
            batch.rollups.append(rollup(1, window: .day, start: start, dimensions: "{\"a\":\"b\"}"))
            batch.rollups.append(rollup(1, .max, window: .day, start: start, customer: "other"))
            batch.rollups.append(rollup(1, window: .hour, start: start))
        }
        try fixture.commit(batch)
        fixture.ledger.close()
        let raw = try SQLConnection(
            path: fixture.directory.file("ledger.db"), options: .init(synchronous: .normal))
        for text in LaterVersions.feedAndCorrections + [
            "CREATE TABLE old_rollups AS SELECT * FROM rollups", "DROP TABLE rollups",
            "DROP TABLE rollup_marks", "DROP TABLE dimension_sets",
            "ALTER TABLE old_rollups RENAME TO rollups", "UPDATE schema_version SET version = 2",
        ] {
            try raw.execute(text)
        }
        raw.close()
        return fixture.directory
    }

    @Test func monthsAreMadeOfTheDaysOfAnEarlierVersion() throws {
        let directory = try oldLedger()
        let ledger = try SQLLedger(path: directory.file("ledger.db"))
        defer { ledger.close() }
        let before = try ledger.totals()
        #expect(before.map(\.count) == [120, 60])
        let month: (CustomerID, Timestamp) -> Timestamp = { customer, day in
            let zone = customer == "acme" ? Int64(3_600) : 0
            let rule = PeriodRule(unit: .month, anchor: .calendar)
            return rule.period(containing: day.adding(seconds: zone), zone: .utc).start
                .adding(seconds: -zone)
        }
        #expect(try ledger.fillMonths(start: month) == 180)
        // Once: what is counted from now on makes its own months.
        #expect(try ledger.fillMonths(start: month) == 0)
        #expect(try ledger.totals() == before)
        #expect(try values(ledger, .month).reduce(0, +) == 120)
        let starts = try ledger.rollupStarts(query(.month), limit: 10)
        #expect(
            starts.map { $0.adding(seconds: 3_600) }
                == starts.map { month("other", $0.adding(seconds: 3_600)) })
        // Hours of before are whole.
        #expect(try ledger.rollupsKept().cutFrom == instant.adding(seconds: 59 * 86_400 + 3_600))
        #expect(try ledger.usageBegins() == instant)
    }

    @Test func prunedRollupsAreGoneALittleAtATime() throws {
        var fixture = try LedgerFixture()
        var batch = fixture.batch()
        for hour in 0..<10 {
            let start = instant.adding(seconds: Int64(hour) * 3_600)
            for customer in ["acme", "other"] as [CustomerID] {
                batch.rollups.append(rollup(1, window: .hour, start: start, customer: customer))
                batch.rollups.append(rollup(1, window: .day, start: start, customer: customer))
                batch.rollups.append(rollup(1, start: start, customer: customer))
            }
        }
        try fixture.commit(batch)
        let horizon = instant.adding(seconds: 4 * 3_600)
        var steps = 0
        while try fixture.ledger.pruneRollups(.hour, before: horizon, limit: 3) { steps += 1 }
        #expect(steps == 2)
        #expect(try values(fixture.ledger, .hour).count == 6)
        #expect(try values(fixture.ledger, .day).count == 10)
        #expect(try fixture.ledger.rollupsKept() == RollupsKept(hoursFrom: horizon))
        // The mark does not go back, and months stay.
        _ = try fixture.ledger.pruneRollups(.hour, before: instant, limit: 3)
        #expect(try fixture.ledger.rollupsKept().hoursFrom == horizon)
        #expect(try !fixture.ledger.pruneRollups(.month, before: .distantFuture, limit: 100))
        #expect(try values(fixture.ledger, .month).count == 10)
        #expect(try fixture.ledger.usageBegins() == instant)
        try fixture.reopen()
        #expect(try fixture.ledger.rollupsKept().hoursFrom == horizon)
    }

    @Test func startsAreThoseOfTheCustomerAlone() throws {
        var fixture = try LedgerFixture()
        var batch = fixture.batch()
        for hour in 0..<20 {
            let start = instant.adding(seconds: Int64(hour) * 3_600)
            batch.rollups.append(
                rollup(1, window: .hour, start: start, customer: hour % 3 == 0 ? "acme" : "other"))
        }
        try fixture.commit(batch)
        let hours = [0, 3, 6, 9, 12, 15, 18].map { instant.adding(seconds: $0 * 3_600) }
        #expect(try fixture.ledger.rollupStarts(query(.hour), limit: 100) == hours)
        #expect(try fixture.ledger.rollupStarts(query(.hour), limit: 2) == Array(hours.prefix(2)))
    }

    @Test func setsOfDimensionValuesAreKeptWithTheBatchThatHasThem() throws {
        var fixture = try LedgerFixture()
        let sets = (0..<4).map {
            DimensionSet(meter: "tokens", month: Int32(670 + $0), hash: .max - UInt64($0))
        }
        var batch = fixture.batch()
        batch.dimensionSets = sets
        try fixture.commit(batch)
        batch = fixture.batch()
        batch.dimensionSets = [sets[0]]
        try fixture.commit(batch)
        batch.dimensionSets = [DimensionSet(meter: "lost", month: 670, hash: 1)]
        #expect(ledgerError { try fixture.commit(batch) }?.code == .fenced)
        #expect(Set(try fixture.ledger.dimensionSets(since: .min)) == Set(sets))
        try fixture.ledger.pruneDimensionSets(before: 672)
        try fixture.reopen()
        #expect(Set(try fixture.ledger.dimensionSets(since: 0)) == Set(sets.suffix(2)))
    }
}
