import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

@Suite("A commit is whole, once, and only by the owner")
struct CommitTests {
    @Test func claimsStartAtZeroAndRaiseTheEpoch() throws {
        let fixture = try LedgerFixture()
        #expect(fixture.epoch == 1)
        let claims = try fixture.ledger.claim([0, 7])
        #expect(claims.map(\.epoch) == [2, 1])
        #expect(claims.map(\.nextOffset) == [0, 0])
        #expect(claims.map(\.completeTo) == [nil, nil])
    }

    @Test func usageShowsBeforeAndAfter() throws {
        var fixture = try LedgerFixture()
        try fixture.commit(usage: [delta(40, count: 2, admitted: 5)])
        let done = try fixture.commit(usage: [delta(2, admitted: 1)])
        let change = try #require(done.changes.first)
        #expect(change.before == UsageState(count: 2, value: 40))
        #expect(change.after == UsageState(count: 3, value: 42))
        #expect(change.admittedBefore == 5)
        #expect(change.admittedAfter == 6)
        let stored = try #require(try fixture.ledger.usage(key()))
        #expect(stored.state == change.after)
        #expect(stored.admitted == 6)
        #expect(stored.aggregation == .sum)
    }

    @Test func theSameKeyTwiceInABatchAddsUp() throws {
        var fixture = try LedgerFixture()
        let done = try fixture.commit(usage: [delta(1), delta(2)])
        #expect(done.changes.map(\.before.value) == [0, 1])
        #expect(done.changes.map(\.after.value) == [1, 3])
    }

    @Test func aReplayChangesNothing() throws {
        var fixture = try LedgerFixture()
        var batch = fixture.batch()
        batch.usage = [delta(10)]
        try fixture.commit(batch)
        let error = ledgerError { _ = try fixture.ledger.commit(batch, score: { _ in [] }) }
        #expect(error?.code == .fenced)
        #expect(try fixture.total == 10)
        #expect(try fixture.ledger.positions().first?.nextOffset == 10)
    }

    @Test func anEarlierOwnerIsFenced() throws {
        let fixture = try LedgerFixture()
        var batch = fixture.batch()
        batch.usage = [delta(10)]
        _ = try fixture.ledger.claim([0])
        let error = ledgerError { _ = try fixture.ledger.commit(batch, score: { _ in [] }) }
        #expect(error?.code == .fenced)
        #expect(try fixture.total == nil)
    }

    @Test func aPartitionNeverClaimedIsFenced() throws {
        let fixture = try LedgerFixture()
        var batch = fixture.batch()
        batch.partition = 3
        #expect(
            ledgerError { _ = try fixture.ledger.commit(batch, score: { _ in [] }) }?.code
                == .fenced)
    }

    @Test func theTimeWatermarkNeverGoesBack() throws {
        var fixture = try LedgerFixture()
        try fixture.commit(fixture.batch(at: instant.adding(seconds: 60)))
        try fixture.commit(fixture.batch(at: instant))
        #expect(try fixture.ledger.positions().first?.completeTo == instant.adding(seconds: 60))
    }

    @Test(arguments: [Int64.max, Int64.min])
    func anOverflowUndoesTheWholeBatch(extreme: Int64) throws {
        var fixture = try LedgerFixture()
        try fixture.commit(usage: [delta(extreme)])
        var batch = fixture.batch()
        batch.usage = [
            delta(1, key: key("other")), delta(extreme > 0 ? 1 : -1),
        ]
        let error = ledgerError { try fixture.commit(batch) }
        #expect(error?.code == .overflow)
        #expect(try fixture.total == extreme)
        #expect(try fixture.ledger.usage(key("other")) == nil)
        #expect(try fixture.ledger.positions().first?.nextOffset == 10)
        // And the connection goes on working.
        try fixture.commit(usage: [delta(extreme > 0 ? -1 : 1)])
        #expect(try fixture.total == (extreme > 0 ? extreme - 1 : extreme + 1))
    }

    @Test func anOverflowOfAdmittedOrOfARollupUndoesTheBatch() throws {
        var fixture = try LedgerFixture()
        try fixture.commit(usage: [delta(1, admitted: .max)])
        var batch = fixture.batch()
        batch.usage = [delta(1, admitted: 1)]
        #expect(ledgerError { try fixture.commit(batch) }?.code == .overflow)
        batch.usage = []
        batch.rollups = [rollup(.max), rollup(1)]
        #expect(ledgerError { try fixture.commit(batch) }?.code == .overflow)
        #expect(try fixture.ledger.totals() == [])
    }

    @Test func aMeterKeepsItsAggregation() throws {
        var fixture = try LedgerFixture()
        try fixture.commit(usage: [delta(1)])
        for aggregation in [Aggregation.max, .count] {
            var batch = fixture.batch()
            batch.usage = [delta(1, count: 1, aggregation)]
            #expect(ledgerError { try fixture.commit(batch) }?.code == .misconfigured)
        }
        var batch = fixture.batch()
        batch.rollups = [rollup(1), rollup(1, .max)]
        #expect(ledgerError { try fixture.commit(batch) }?.code == .misconfigured)
        #expect(try fixture.total == 1)
    }
}

func rollup(
    _ value: Int64, _ aggregation: Aggregation = .sum, window: RollupWindow = .month,
    start: Timestamp = instant, customer: CustomerID = "acme", dimensions: String = "{}"
) -> RollupDelta {
    RollupDelta(
        customer: customer, meter: "tokens", window: window, start: start, dimensions: dimensions,
        aggregation: aggregation, delta: UsageState(count: 1, value: value))
}
