import MeteringModel
import MeteringPorts
import SQLClient
import SQLLedger
import Testing

@Suite("The feed of crossings and adjustments")
struct CrossingFeedTests {
    @Test func everyChangeOfStateIsTold() throws {
        var fixture = try LedgerFixture()
        var batch = fixture.batch()
        batch.usage = [delta(100)]
        let made = try fixture.commit(batch) { crossing($0, at: 50) + crossing($0, at: 80) }
        let ids = made.newCrossings.map(\.id)
        let later = instant.adding(seconds: 60)
        try fixture.ledger.resolveCrossings(ids + ["unknown"], at: later)
        try fixture.ledger.resolveCrossings(ids, at: later.adding(seconds: 9))
        var again = try #require(made.newCrossings.first)
        again.crossedAt = later.adding(seconds: 5)
        again.usedAfter = 101
        try fixture.ledger.recordCrossings([again])
        // It is open: nothing changes.
        try fixture.ledger.recordCrossings([again])
        var restatement = LedgerRestatement(at: later.adding(seconds: 7))
        restatement.resolved = [ids[0]]
        restatement.crossings = [try #require(made.newCrossings.last)]
        try fixture.ledger.restate(restatement)
        try fixture.reopen()
        let feed = try fixture.ledger.crossingChanges(after: 0, limit: 99)
        #expect(feed.map(\.sequence) == [1, 2, 3, 4, 5, 6, 7])
        #expect(
            feed.map(\.kind)
                == [.reached, .reached, .resolved, .resolved, .reopened, .resolved, .reopened])
        #expect(feed.map(\.ordinal) == [1, 1, 2, 2, 3, 4, 3])
        let first = ids[0]
        let last = ids[1]
        #expect(feed.map(\.crossing.crossing.id) == [first, last, first, last, first, first, last])
        #expect(
            feed.map { $0.at.seconds - instant.seconds } == [0, 0, 60, 60, 65, 67, 0])
        // As it is now.
        #expect(feed[0].crossing.crossing.resolvedAt == later.adding(seconds: 7))
        #expect(feed[0].crossing.crossing.usedAfter == 101)
        #expect(feed[0].crossing.crossing.crossedAt == instant)
        #expect(
            try fixture.ledger.crossingChanges(after: 3, limit: 2).map(\.sequence) == [4, 5])
        #expect(try fixture.ledger.crossingChanges(after: 7, limit: 2).isEmpty)
    }

    @Test func usageThatFallsResolvesAndThatRisesReopens() throws {
        var fixture = try LedgerFixture()
        func add(_ value: Int64, _ fixture: inout LedgerFixture) throws -> LedgerCommit {
            var batch = fixture.batch(at: instant.adding(seconds: fixture.offset))
            batch.usage = [delta(value)]
            return try fixture.commit(batch) { crossing($0, at: 50) + crossing($0, at: 80) }
        }
        #expect(try add(90, &fixture).newCrossings.count == 2)
        #expect(try add(-10, &fixture).newCrossings == [])
        #expect(try add(-10, &fixture).newCrossings == [])
        #expect(try add(10, &fixture).newCrossings.count == 1)
        #expect(try add(5, &fixture).newCrossings == [])
        let feed = try fixture.ledger.crossingChanges(after: 0, limit: 99)
        #expect(feed.map(\.kind) == [.reached, .reached, .resolved, .reopened])
        #expect(feed[2].crossing.crossing.threshold == .absolute(80))
        #expect(feed[2].at == instant.adding(seconds: 20))
    }

    @Test func aRowThatDipsWithinABatchIsJudgedByItsEnd() throws {
        var fixture = try LedgerFixture()
        try fixture.commit(usage: [delta(10)])
        var batch = fixture.batch()
        batch.usage = [delta(90), delta(-60), delta(55)]
        try fixture.commit(batch) { crossing($0, at: 80) }
        #expect(
            try fixture.ledger.crossingChanges(after: 0, limit: 9).map(\.kind) == [.reached])
        batch = fixture.batch()
        batch.usage = [delta(10), delta(-80)]
        try fixture.commit(batch) { crossing($0, at: 80) }
        #expect(
            try fixture.ledger.crossingChanges(after: 1, limit: 9).map(\.kind) == [.resolved])
    }

    @Test func aRefusedBatchTellsNothing() throws {
        var fixture = try LedgerFixture()
        var batch = fixture.batch()
        batch.usage = [delta(90)]
        try fixture.commit(batch) { crossing($0, at: 80) }
        #expect(
            ledgerError { _ = try fixture.ledger.commit(batch) { crossing($0, at: 80) } }?.code
                == .fenced)
        #expect(try fixture.ledger.crossingChanges(after: 0, limit: 9).count == 1)
    }

    @Test func aLedgerFromBeforeTheFeedGetsOne() throws {
        var fixture = try LedgerFixture()
        var batch = fixture.batch()
        batch.usage = [delta(100)]
        let made = try fixture.commit(batch) { crossing($0, at: 50) + crossing($0, at: 80) }
        try fixture.ledger.resolveCrossings(
            [made.newCrossings[0].id], at: instant.adding(seconds: 5))
        fixture.ledger.close()
        let path = fixture.directory.file("ledger.db")
        let old = try SQLConnection(path: path, options: .init(synchronous: .normal))
        for text in LaterVersions.feedAndCorrections { try old.execute(text) }
        try old.execute("UPDATE schema_version SET version = 3")
        old.close()
        try fixture.reopen()
        let feed = try fixture.ledger.crossingChanges(after: 0, limit: 9)
        #expect(feed.map(\.kind) == [.reached, .reached, .resolved])
        #expect(feed.map(\.ordinal) == [1, 1, 2])
        #expect(feed.map(\.crossing.sequence) == [1, 2, 1])
    }

    @Test func adjustmentsComeInTheOrderOfTheirRecording() throws {
        var fixture = try LedgerFixture()
        for round in 1...3 {
            var batch = fixture.batch()
            batch.adjustments = [
                Adjustment(key: key(), count: 1, value: Int64(round), recordedAt: instant)
            ]
            try fixture.commit(batch)
        }
        let page = try fixture.ledger.adjustments(after: 1, limit: 1)
        #expect(page.map(\.sequence) == [2])
        #expect(page.map(\.adjustment.value) == [2])
        #expect(try fixture.ledger.adjustments(after: 0, limit: 9).map(\.sequence) == [1, 2, 3])
        #expect(try fixture.ledger.adjustments(after: 3, limit: 9).isEmpty)
    }
}
