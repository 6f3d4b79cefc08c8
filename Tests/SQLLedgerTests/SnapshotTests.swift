import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

@Suite("One state of the ledger, read while it goes on")
struct SnapshotTests {
    @Test func whatIsHeldStaysAsItWas() throws {
        var fixture = try LedgerFixture()
        try fixture.commit(usage: [delta(5)])
        let snapshot = try fixture.ledger.makeSnapshot()
        try snapshot.hold()
        try fixture.commit(usage: [delta(6)])
        #expect(try snapshot.queries.usage(key())?.state.value == 5)
        #expect(try snapshot.queries.positions().map(\.nextOffset) == [10])
        #expect(try fixture.total == 11)
        try snapshot.hold()
        #expect(try snapshot.queries.usage(key())?.state.value == 11)
        try fixture.commit(usage: [delta(7)])
        snapshot.letGo()
        #expect(try snapshot.queries.usage(key())?.state.value == 18)
    }

    /// Every row of every statement, not only the first read.
    @Test func allQueriesAgree() throws {
        var fixture = try LedgerFixture()
        let snapshot = try fixture.ledger.makeSnapshot()
        for round in 1...20 {
            var batch = fixture.batch()
            batch.usage = [delta(Int64(round))]
            batch.rollups = [rollup("acme", Int64(round)), rollup("zebra", 1)]
            try fixture.commit(batch)
            try snapshot.hold()
            var next = fixture.batch()
            next.usage = [delta(1_000)]
            next.rollups = [rollup("acme", 1_000)]
            try fixture.commit(next)
            let row = try #require(try snapshot.queries.usage(key()))
            var sum: Int64 = 0
            try snapshot.queries.rollups(.month, of: "acme"..."acme") { customer, _, _, rollup in
                #expect(customer == "acme")
                sum += rollup.state.value
            }
            #expect(sum == row.state.value)
        }
    }

    @Test func rollupsComeByTimeAndOfTheCustomersAskedFor() throws {
        var fixture = try LedgerFixture()
        var batch = fixture.batch()
        for (hours, customer) in [(2, "b"), (1, "b"), (1, "a"), (3, "c"), (2, "d"), (1, "c")] {
            var row = rollup(CustomerID(customer), 1)
            row.window = .hour
            row.start = month.start.adding(seconds: Int64(hours) * 3_600)
            batch.rollups.append(row)
        }
        batch.rollups.append(rollup("b", 1))
        try fixture.commit(batch)
        var found: [String] = []
        try fixture.ledger.rollups(.hour, of: "b"..."c") { customer, _, _, rollup in
            found.append("\((rollup.start.seconds - month.start.seconds) / 3_600)\(customer)")
        }
        #expect(found == ["1b", "1c", "2b", "3c"])
    }

    private func rollup(_ customer: CustomerID, _ value: Int64) -> RollupDelta {
        RollupDelta(
            customer: customer, meter: "tokens", window: .month, start: month.start,
            dimensions: "{}", aggregation: .sum, delta: UsageState(count: 1, value: value))
    }
}
