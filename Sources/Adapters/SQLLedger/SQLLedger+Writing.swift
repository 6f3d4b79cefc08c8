package import MeteringModel
package import MeteringPorts
import SQLClient

extension SQLLedger: UsageLedger {
    package func claim(_ partitions: [Int32]) throws(LedgerError) -> [PartitionClaim] {
        // Fsynced, so that no epoch is given out twice.
        try write { (connection) throws(SQLError) in
            try LedgerWriter(connection: connection).claim(partitions)
        }
    }

    /// As the protocol says; `score` must not call this ledger, whose lock is held meanwhile.
    package func commit(
        _ batch: LedgerBatch, score: (UsageChange) -> [Crossing]
    ) throws(LedgerError) -> LedgerCommit {
        try store.withWriter { (connection) throws(LedgerError) in
            try LedgerWriter(connection: connection).commit(batch, score: score)
        }
    }

    package func commitAll(
        _ batches: [LedgerBatch], score: (Int, UsageChange) -> [Crossing]
    ) -> [Result<LedgerCommit, LedgerError>] {
        do throws(LedgerError) {
            return try store.withWriter { (connection) throws(LedgerError) in
                try LedgerWriter(connection: connection).commitAll(batches, score: score)
            }
        } catch {
            return batches.map { _ in .failure(error) }
        }
    }

    /// Marks are kept by the batch: each comes with the append time of its batch's last record,
    /// and the whole batch comes when that is at or after `since`.
    package func dedupeMarks(
        partition: Int32, since: Timestamp, _ body: (DedupeMark, Timestamp) -> Void
    ) throws(LedgerError) {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT appended_at, marks FROM dedupe_blocks
                WHERE partition = $1 AND appended_at >= $2
                ORDER BY appended_at, first_offset
                """)
            defer { query.reset() }
            try query.bind(Int64(partition), at: 1)
            try query.bind(since.microseconds, at: 2)
            while try query.step() {
                let appendedAt = query.timestamp(at: 0)
                let isWhole = query.withBytes(at: 1) { bytes in
                    DedupeBlock.decode(bytes) { body($0, appendedAt) }
                }
                if !isWhole { throw .damaged("a dedupe block is damaged") }
            }
        }
    }

    /// Also drops closed reservations that expired before `admissionsBefore`.
    package func prune(
        dedupeBefore instant: Timestamp, admissionsBefore: Timestamp
    ) throws(LedgerError) {
        try write { (connection) throws(SQLError) in
            let blocks = try connection.statement(
                """
                DELETE FROM dedupe_blocks WHERE appended_at < $1
                    AND partition IN (SELECT partition FROM positions)
                """)
            try blocks.bind(instant.microseconds, at: 1)
            try blocks.run()
            for text in [
                "DELETE FROM admissions WHERE admitted_at < $1",
                "DELETE FROM reservations WHERE expires_at < $1 AND state <> 'open'",
            ] {
                let statement = try connection.statement(text)
                try statement.bind(admissionsBefore.microseconds, at: 1)
                try statement.run()
            }
        }
    }
}
