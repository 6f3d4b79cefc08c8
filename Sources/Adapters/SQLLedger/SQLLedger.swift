package import MeteringPorts
import SQLClient

/// The ledger in one SQLite file: usage, rollups, dedupe marks, crossings and what else a stretch
/// of the log amounts to, together with the log position that it contains.
///
/// One connection writes, guarded by a lock; a few others read, each from its own snapshot, so
/// queries never wait for a commit. A commit survives a killed process at once; a power failure
/// may undo the last commits whole (`synchronous = NORMAL`), which the log then repeats, because
/// the position goes back with them.
package final class SQLLedger: Sendable {
    package struct Options: Sendable {
        /// Bound of the file; beyond it commits fail with `.full`. Nil: the disk's.
        package var databaseBytesMax: Int64?
        /// For tools beside a running service: no lock, no migration, and writes are refused.
        package var isReadOnly = false
        package init() {}
    }

    private let file: SQLiteFile
    let store: SQLiteStore<LedgerError>

    /// Opens the ledger, makes or migrates its tables, and takes the exclusive lock
    /// `ledger.lock` in the file's directory.
    /// - Throws: `.busy` when another process has the ledger, `.misconfigured` when a newer
    ///   version wrote it, `.corrupt`, `.full` or `.unavailable` as the file system has it.
    package init(path: String, options: Options = Options()) throws(LedgerError) {
        var file = SQLiteFile(
            path: path, schema: LedgerSchema.schema, lock: "ledger.lock", synchronous: .normal)
        file.writerCacheKibibytes = 65_536
        file.readerCount = 4
        // As large as the log's file is kept anyway (64 MiB): commits of a backlog touch pages all
        // over the tables, and moving them out after each one would double the writing.
        file.checkpointPages = 16_000
        file.databaseBytesMax = options.databaseBytesMax
        file.isReadOnly = options.isReadOnly
        self.file = file
        store = try SQLiteStore(file) { LedgerError($0) }
    }

    /// A reader of the same file with one connection of its own.
    init(readingAlong other: SQLLedger) throws(LedgerError) {
        var file = other.file
        file.isReadOnly = true
        file.readerCount = 1
        self.file = file
        store = try SQLiteStore(file) { LedgerError($0) }
    }

    /// Waits for a commit under way, then frees everything; idempotent. Later calls throw
    /// `.unavailable`.
    package func close() { store.close() }

    /// Runs `body` in one transaction, fsynced: the log, which repeats what a commit loses, knows
    /// nothing of cold writes.
    func write<Result>(
        _ body: (SQLConnection) throws(SQLError) -> Result
    ) throws(LedgerError) -> Result {
        try store.write(.full, body)
    }
}
