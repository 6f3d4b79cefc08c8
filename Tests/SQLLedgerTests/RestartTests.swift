import Foundation
import MeteringModel
import MeteringPorts
import SQLClient
import SQLLedger
import Testing

@Suite("Opening, closing, crashing, running out of room")
struct RestartTests {
    @Test func everythingIsThereAfterAReopening() throws {
        var fixture = try LedgerFixture()
        try fixture.commit(usage: [delta(5)])
        try fixture.reopen()
        #expect(try fixture.total == 5)
        let claim = try #require(try fixture.ledger.claim([0]).first)
        #expect(
            claim == PartitionClaim(partition: 0, epoch: 2, nextOffset: 10, completeTo: instant))
    }

    @Test func aSecondOpenerIsRefusedUntilTheFirstIsGone() throws {
        let fixture = try LedgerFixture()
        let path = fixture.directory.file("ledger.db")
        let error = ledgerError { _ = try SQLLedger(path: path) }
        #expect(error?.code == .busy)
        let holder = "process \(ProcessInfo.processInfo.processIdentifier)"
        #expect(error?.message.contains(holder) == true)
        fixture.ledger.close()
        try SQLLedger(path: path).close()
    }

    @Test func aReadOnlyLedgerReadsBesideTheOwnerAndWritesNothing() throws {
        var fixture = try LedgerFixture()
        var options = SQLLedger.Options()
        options.isReadOnly = true
        let reader = try SQLLedger(path: fixture.directory.file("ledger.db"), options: options)
        try fixture.commit(usage: [delta(5)])
        #expect(try reader.usage(key())?.state.value == 5)
        #expect(ledgerError { _ = try reader.claim([0]) }?.code == .unavailable)
        #expect(ledgerError { try reader.markDelivered([1]) }?.code == .unavailable)
    }

    @Test func aClosedLedgerSaysSo() throws {
        let fixture = try LedgerFixture()
        fixture.ledger.close()
        fixture.ledger.close()
        #expect(ledgerError { _ = try fixture.total }?.code == .unavailable)
        #expect(ledgerError { _ = try fixture.ledger.claim([0]) }?.code == .unavailable)
    }

    @Test func aNewerSchemaIsRefused() throws {
        let fixture = try LedgerFixture()
        let path = fixture.directory.file("ledger.db")
        fixture.ledger.close()
        let raw = try SQLConnection(path: path, options: .init(synchronous: .normal))
        try raw.execute("UPDATE schema_version SET version = 99")
        raw.close()
        let error = ledgerError { _ = try SQLLedger(path: path) }
        #expect(error?.code == .misconfigured)
        #expect(error?.message.contains("99") == true)
    }

    @Test func aFileThatIsNoDatabaseIsCorrupt() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("ledger.db")
        try String(repeating: "no database ", count: 100).write(
            toFile: path, atomically: true, encoding: .utf8)
        #expect(ledgerError { _ = try SQLLedger(path: path) }?.code == .corrupt)
    }

    @Test func aDirectoryThatCannotBeMadeIsUnavailable() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("missing/deeper/ledger.db")
        #expect(ledgerError { _ = try SQLLedger(path: path) }?.code == .unavailable)
        // One level is made.
        try SQLLedger(path: directory.file("new/ledger.db")).close()
    }

    @Test func aFullDiskUndoesTheBatchAndTheLedgerGoesOn() throws {
        var options = SQLLedger.Options()
        options.databaseBytesMax = 400_000
        var fixture = try LedgerFixture(options: options)
        try fixture.commit(usage: [delta(5)])
        var batch = fixture.batch()
        batch.usage = [delta(1)]
        batch.setAside = [
            SetAsideEvent(
                kind: .deadLetter, partition: 0, offset: 1, appendedAt: instant, reason: "r",
                detail: "", payload: [UInt8](repeating: 1, count: 600_000))
        ]
        let error = ledgerError { try fixture.commit(batch) }
        #expect(error?.code == .full)
        #expect(error?.isRetriable == true)
        #expect(try fixture.total == 5)
        batch.setAside = []
        try fixture.commit(batch)
        #expect(try fixture.total == 6)
    }

    @Test func aProcessKilledInsideACommitLeavesNoPartOfIt() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("ledger.db")
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let ledger = try SQLLedger(path: path)
            let epoch = try #require(try ledger.claim([0]).first).epoch
            for round in 0..<5 {
                var batch = LedgerBatch(
                    partition: 0, epoch: epoch, baseOffset: Int64(round) * 10,
                    nextOffset: Int64(round + 1) * 10, completeTo: instant)
                batch.usage = (0..<50).map { delta(1, key: key(CustomerID("c\($0)"))) }
                _ = try ledger.commit(batch) { change in
                    if change.after.value == 5 { kill(getpid(), SIGKILL) }
                    return []
                }
            }
        }
        let ledger = try SQLLedger(path: path)
        #expect(try ledger.positions().first?.nextOffset == 40)
        var values: [Int64] = []
        try ledger.liveUsage(endingAfter: .distantPast) { values.append($0.state.value) }
        #expect(values == [Int64](repeating: 4, count: 50))
    }
}
