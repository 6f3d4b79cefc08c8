import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

@Suite("Rows hold what the model's merge gives")
struct AggregationTests {
    /// Random events, cut into random batches, against one fold in memory.
    @Test(arguments: Aggregation.allCases)
    func usageAndRollupsEqualTheReference(aggregation: Aggregation) throws {
        var numbers = SeededNumbers(seed: 42)
        var fixture = try LedgerFixture()
        var reference = UsageState()
        for round in 0..<40 {
            var part = UsageState()
            for _ in 0..<Int.random(in: 1...20, using: &numbers) {
                let one = UsageState.one(
                    aggregation, value: .random(in: -1_000...1_000, using: &numbers),
                    at: .random(in: -50...50, using: &numbers),
                    member: .random(in: 0...300, using: &numbers))
                part.merge(one, aggregation)
            }
            let before = reference
            reference.merge(part, aggregation)
            var batch = fixture.batch()
            batch.usage = [
                UsageDelta(key: key(), aggregation: aggregation, delta: part, admitted: 1)
            ]
            var daily = rollup(
                0, aggregation, start: instant.adding(seconds: Int64(round % 3) * 86_400))
            daily.delta = part
            batch.rollups = [daily]
            let change = try #require(try fixture.commit(batch).changes.first)
            #expect(change.before == before)
            #expect(change.after == reference)
            if round == 20 { try fixture.reopen() }
        }
        let stored = try #require(try fixture.ledger.usage(key()))
        #expect(stored.state == reference)
        #expect(stored.admitted == 40)
        let total = try #require(try fixture.ledger.totals().first)
        #expect(total.count == reference.count)
        #expect(total.value == reference.reading(aggregation))
    }

    @Test func aSketchAboveItsExactBoundSurvives() throws {
        var fixture = try LedgerFixture()
        var reference = UsageState()
        for part in 0..<3 {
            var sketch = DistinctSketch()
            for member in 0..<2_000 {
                sketch.insert(UInt64(part * 1_500 + member) &* 0x9e37_79b9_7f4a_7c15)
            }
            let state = UsageState(count: 2_000, value: sketch.estimate, distinct: sketch)
            reference.merge(state, .unique)
            try fixture.commit(usage: [
                UsageDelta(key: key(), aggregation: .unique, delta: state, admitted: 0)
            ])
        }
        let stored = try #require(try fixture.ledger.usage(key()))
        #expect(stored.state == reference)
        #expect(stored.state.distinct?.isExact == false)
    }

    @Test func anEmptyStateChangesNothing() throws {
        var fixture = try LedgerFixture()
        try fixture.commit(usage: [delta(7, key: key())])
        try fixture.commit(usage: [delta(0, count: 0)])
        #expect(try fixture.total == 7)
        // One event exchanged for another.
        try fixture.commit(usage: [delta(2, count: 0)])
        #expect(try fixture.total == 9)
        var batch = fixture.batch()
        var empty = rollup(0)
        empty.delta = UsageState()
        batch.rollups = [rollup(5), empty]
        try fixture.commit(batch)
        #expect(try fixture.ledger.totals().map(\.value) == [5])
    }
}
