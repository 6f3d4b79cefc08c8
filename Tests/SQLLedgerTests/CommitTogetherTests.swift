import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

@Suite("Batches committed together keep fates of their own")
struct CommitTogetherTests {
    /// A batch for each of three partitions, 1 unit each for the same customer.
    private func batches(_ ledger: SQLLedger) throws -> [LedgerBatch] {
        try ledger.claim([1, 2, 3]).map { claim in
            var batch = LedgerBatch(
                partition: claim.partition, epoch: claim.epoch, baseOffset: 0, nextOffset: 5,
                completeTo: instant)
            batch.usage = [delta(1)]
            return batch
        }
    }

    private func codes(_ results: [Result<LedgerCommit, LedgerError>]) -> [LedgerError.Code?] {
        results.map { result in
            guard case .failure(let error) = result else { return nil }
            return error.code
        }
    }

    @Test func laterBatchesSeeEarlierOnes() throws {
        let fixture = try LedgerFixture()
        var scored: [Int] = []
        let results = fixture.ledger.commitAll(try batches(fixture.ledger)) { index, _ in
            scored.append(index)
            return []
        }
        #expect(try results.map { try $0.get().changes.map(\.after.value) } == [[1], [2], [3]])
        #expect(scored == [0, 1, 2])
        #expect(try fixture.total == 3)
        #expect(try fixture.ledger.positions().map(\.nextOffset) == [0, 5, 5, 5])
    }

    @Test func aFencedBatchIsUndoneAlone() throws {
        let fixture = try LedgerFixture()
        let batches = try batches(fixture.ledger)
        _ = try fixture.ledger.claim([2])
        let results = fixture.ledger.commitAll(batches) { _, _ in [] }
        #expect(codes(results) == [nil, .fenced, nil])
        #expect(try fixture.total == 2)
    }

    @Test func anOverflowingBatchIsUndoneAlone() throws {
        let fixture = try LedgerFixture()
        var batches = try batches(fixture.ledger)
        let other = key("other")
        batches[1].usage = [delta(7, key: other), delta(.max)]
        let results = fixture.ledger.commitAll(batches) { _, _ in [] }
        #expect(codes(results) == [nil, .overflow, nil])
        #expect(try fixture.total == 2)
        // What the batch had written before it failed went with it, its position too.
        #expect(try fixture.ledger.usage(other) == nil)
        #expect(try fixture.ledger.positions().map(\.nextOffset) == [0, 5, 0, 5])
    }

    @Test func aClosedLedgerRefusesAll() throws {
        let fixture = try LedgerFixture()
        let batches = try batches(fixture.ledger)
        fixture.ledger.close()
        let results = fixture.ledger.commitAll(batches) { _, _ in [] }
        #expect(codes(results) == [.unavailable, .unavailable, .unavailable])
    }
}
