import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

@Suite("Cold writes")
struct ControlTests {
    @Test func aSecretIsDrawnOnce() throws {
        var fixture = try LedgerFixture()
        #expect(try fixture.ledger.installationSecret("hash") { [1, 2, 0] } == [1, 2, 0])
        try fixture.reopen()
        let again = try fixture.ledger.installationSecret("hash") {
            Issue.record("drawn a second time")
            return [9]
        }
        #expect(again == [1, 2, 0])
        #expect(try fixture.ledger.installationSecret("empty") { [] } == [])
    }

    @Test func crossingsAreDeliveredAndResolved() throws {
        var fixture = try LedgerFixture()
        var batch = fixture.batch()
        batch.usage = [delta(100)]
        let made = try fixture.commit(batch) { crossing($0, at: 50) + crossing($0, at: 80) }
        #expect(try fixture.ledger.undeliveredCrossings(limit: 1).map(\.sequence) == [1])
        try fixture.ledger.markDelivered([1])
        #expect(try fixture.ledger.undeliveredCrossings(limit: 9).map(\.sequence) == [2])
        let id = try #require(made.newCrossings.first).id
        try fixture.ledger.resolveCrossings([id, "unknown"], at: instant)
        try fixture.ledger.resolveCrossings([id], at: instant.adding(seconds: 9))
        let stored = try fixture.ledger.crossings(customer: nil, since: nil, after: 0, limit: 9)
        #expect(stored.map(\.crossing.resolvedAt) == [instant, nil])
    }

    @Test func aRestatementIsWrittenOnce() throws {
        var fixture = try LedgerFixture()
        var batch = fixture.batch()
        batch.usage = [delta(100)]
        let made = try fixture.commit(batch) { crossing($0, at: 50) + crossing($0, at: 80) }
        var restatement = LedgerRestatement(at: instant)
        let row = StoredUsage(
            key: key("acme", "calls"), aggregation: .max, state: UsageState(count: 3, value: 70),
            admitted: 2)
        restatement.usage = [
            row,
            StoredUsage(
                key: key(), aggregation: .sum, state: UsageState(count: 9, value: 900),
                admitted: 0),
        ]
        restatement.adjustments = [
            Adjustment(
                key: key(), count: 9, value: 900, recordedAt: instant,
                cause: .init(
                    requestID: "r1", feature: "tokens", scale: 2, limitBefore: .unlimited,
                    limitAfter: .finite(500), overageBefore: 0, overageAfter: 400)),
            Adjustment(
                key: key("acme", "calls"), count: 3, value: 70, recordedAt: instant,
                cause: .init(
                    requestID: "r1", feature: "calls", scale: 0, limitBefore: nil,
                    limitAfter: .finite(-1), overageBefore: 0, overageAfter: 0)),
        ]
        restatement.resolved = made.newCrossings.map(\.id)
        try fixture.ledger.restate(restatement)
        let resolved = try fixture.ledger.crossings(of: "acme", periodsEndingAfter: month.start)
        #expect(resolved.map(\.crossing.resolvedAt) == [instant, instant])
        restatement.resolved = []
        restatement.crossings = [try #require(made.newCrossings.first)]
        try fixture.ledger.restate(restatement)
        try fixture.reopen()
        let open = try fixture.ledger.crossings(of: "acme", periodsEndingAfter: month.start)
        #expect(open.map(\.crossing.resolvedAt) == [nil, instant])
        #expect(try fixture.ledger.crossings(of: "acme", periodsEndingAfter: month.end).isEmpty)
        #expect(try fixture.ledger.adjustments(customer: "acme") == restatement.adjustments)
        #expect(try fixture.total == 900)
        let stored = try #require(try fixture.ledger.usage(row.key))
        #expect(stored.state == row.state && stored.admitted == 2 && stored.aggregation == .max)
    }

    @Test func aBatchMayHoldSeveralDeltasOfOneRow() throws {
        var fixture = try LedgerFixture()
        let early = month.start.adding(seconds: 5)
        let late = month.start.adding(seconds: 99)
        let made = try fixture.commit(usage: [
            UsageDelta(
                key: key(), aggregation: .sum, delta: UsageState(count: 1, value: 10),
                admitted: 4, admittedHere: 3, scoredAt: early),
            UsageDelta(
                key: key(), aggregation: .sum, delta: UsageState(count: 1, value: 5), admitted: 1,
                scoredAt: late),
        ])
        #expect(made.changes.map(\.after.value) == [10, 15])
        #expect(made.changes.map(\.before.value) == [0, 10])
        #expect(made.changes.map(\.scoredAt) == [early, late])
        #expect(made.changes.map(\.admittedHere) == [3, 0])
        #expect(made.changes.map(\.admittedAfter) == [4, 5])
    }

    @Test func usageBeginsWithTheFirstHour() throws {
        var fixture = try LedgerFixture()
        #expect(try fixture.ledger.usageBegins() == nil)
        var batch = fixture.batch()
        for (window, start) in [(RollupWindow.day, 0), (.hour, 7_200), (.hour, 3_600)] {
            batch.rollups.append(
                RollupDelta(
                    customer: "acme", meter: "tokens", window: window,
                    start: Timestamp(seconds: Int64(start)), dimensions: "{}", aggregation: .sum,
                    delta: UsageState(count: 1, value: 1)))
        }
        batch.admissions = (0..<3).map {
            AdmissionRecord(
                customer: $0 == 1 ? "other" : "acme", feature: "f", id: "\($0)", quantity: 1,
                admittedAt: instant.adding(seconds: Int64($0)), answer: "")
        }
        try fixture.commit(batch)
        #expect(try fixture.ledger.usageBegins() == Timestamp(seconds: 3_600))
        #expect(try fixture.ledger.admissions(of: "acme", since: instant).map(\.id) == ["0", "2"])
        let later = instant.adding(seconds: 1)
        #expect(try fixture.ledger.admissions(of: "acme", since: later).map(\.id) == ["2"])
    }
}
