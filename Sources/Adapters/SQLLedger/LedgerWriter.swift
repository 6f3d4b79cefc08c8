import MeteringModel
import MeteringPorts
import SQLClient

/// What a commit does on the writing connection.
struct LedgerWriter {
    let connection: SQLConnection

    /// Raises each partition's epoch; a partition never seen starts at offset 0.
    func claim(_ partitions: [Int32]) throws(SQLError) -> [PartitionClaim] {
        let raise = try connection.statement(
            """
            INSERT INTO positions (partition, epoch, next_offset) VALUES ($1, 1, 0)
            ON CONFLICT (partition) DO UPDATE SET epoch = positions.epoch + 1
            RETURNING partition, epoch, next_offset, complete_to
            """)
        var claims: [PartitionClaim] = []
        for partition in partitions {
            try raise.bind(Int64(partition), at: 1)
            if try raise.step() { claims.append(PartitionClaim(row: raise)) }
            try raise.run()
        }
        return claims
    }

    /// The whole commit. The order inside does not matter to readers, who see all of it or
    /// nothing; the position goes first so that a stale owner is refused before any work.
    func commit(
        _ batch: LedgerBatch, score: (UsageChange) -> [Crossing]
    ) throws(LedgerError) -> LedgerCommit {
        try connection.transaction(mapping: { LedgerError($0) }) { () throws(LedgerError) in
            try write(batch, score)
        }
    }

    /// One transaction. A batch refused by what it says (fenced, overflow) undoes all of it, and it
    /// is made again without that batch; when the database itself fails, nothing is committed.
    ///
    /// Refusals are rare. A savepoint per batch would undo one alone, but has SQLite copy every
    /// page that a batch touches first.
    func commitAll(
        _ batches: [LedgerBatch], score: (Int, UsageChange) -> [Crossing]
    ) throws(LedgerError) -> [Result<LedgerCommit, LedgerError>] {
        var results: [Result<LedgerCommit, LedgerError>?] = batches.map { _ in nil }
        while true {
            var refused: Int?
            do throws(LedgerError) {
                try connection.transaction(mapping: { LedgerError($0) }) {
                    () throws(LedgerError) in
                    for (index, batch) in batches.enumerated() {
                        if case .failure = results[index] { continue }
                        refused = index
                        results[index] = .success(try write(batch) { score(index, $0) })
                    }
                    refused = nil
                }
                return results.compactMap { $0 }
            } catch {
                guard let refused, error.code == .fenced || error.code == .overflow else {
                    throw error
                }
                results[refused] = .failure(error)
            }
        }
    }

    private func write(
        _ batch: LedgerBatch, _ score: (UsageChange) -> [Crossing]
    ) throws(LedgerError) -> LedgerCommit {
        try advance(batch)
        let changes = try addUsage(batch.usage)
        try addRollups(batch.rollups)
        let corrected = try apply(batch.corrections)
        do throws(SQLError) {
            try addDimensionSets(batch.dimensionSets)
            let crossings = try addCrossings(
                of: changes + corrected, at: batch.completeTo, score)
            try addDedupeBlock(batch)
            try addSetAside(batch.setAside)
            try addAdmissions(batch.admissions)
            try apply(batch.reservations)
            try addAdjustments(batch.adjustments)
            return LedgerCommit(
                changes: changes, corrected: corrected, newCrossings: crossings)
        } catch {
            throw LedgerError(error)
        }
    }

    /// Compare-and-set of (epoch, position).
    private func advance(_ batch: LedgerBatch) throws(LedgerError) {
        let isOurs: Bool
        do {
            let update = try connection.statement(
                """
                UPDATE positions SET next_offset = $1,
                    complete_to = CASE WHEN complete_to > $2 THEN complete_to ELSE $2 END
                WHERE partition = $3 AND epoch = $4 AND next_offset = $5
                """)
            try update.bind(batch.nextOffset, at: 1)
            try update.bind(batch.completeTo.microseconds, at: 2)
            try update.bind(Int64(batch.partition), at: 3)
            try update.bind(batch.epoch, at: 4)
            try update.bind(batch.baseOffset, at: 5)
            try update.run()
            isOurs = connection.changedRows == 1
        } catch {
            throw LedgerError(error)
        }
        if isOurs && batch.nextOffset >= batch.baseOffset { return }
        throw LedgerError(
            code: .fenced,
            message: "partition \(batch.partition) at offset \(batch.baseOffset), epoch"
                + " \(batch.epoch): another owner has taken it, or the ledger stands elsewhere;"
                + " claim it again and read on from there")
    }
}
