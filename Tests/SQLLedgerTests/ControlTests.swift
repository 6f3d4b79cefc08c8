import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

@Suite("Cold writes")
struct ControlTests {
    @Test func catalogRevisionsCountUpAndRepeatForTheSameDocument() throws {
        var fixture = try LedgerFixture()
        #expect(try fixture.ledger.latestCatalog() == nil)
        #expect(try fixture.ledger.saveCatalog("a", at: instant) == 1)
        #expect(try fixture.ledger.saveCatalog("a", at: instant) == 1)
        #expect(try fixture.ledger.saveCatalog("b", at: instant) == 2)
        #expect(try fixture.ledger.saveCatalog("a", at: instant) == 3)
        try fixture.reopen()
        let latest = try #require(try fixture.ledger.latestCatalog())
        #expect(latest.revision == 3)
        #expect(latest.document == "a")
    }

    @Test func aPlansContentKeepsItsVersion() throws {
        var fixture = try LedgerFixture()
        #expect(try fixture.ledger.planVersion("pro", digest: "x") == 1)
        #expect(try fixture.ledger.planVersion("pro", digest: "y") == 2)
        #expect(try fixture.ledger.planVersion("free", digest: "y") == 1)
        try fixture.reopen()
        #expect(try fixture.ledger.planVersion("pro", digest: "x") == 1)
        #expect(try fixture.ledger.planVersion("pro", digest: "z") == 3)
    }

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
}
