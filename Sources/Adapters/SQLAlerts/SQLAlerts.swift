package import MeteringPorts
import SQLClient

/// What alerts there are, for whom they wait and what came of them, in one SQLite file.
///
/// One connection writes, guarded by a lock; a few others read, each from its own snapshot. A
/// commit is on the disk when it returns (`synchronous = FULL`): nothing is sent that a power
/// failure could make us forget.
package final class SQLAlerts: Sendable {
    package struct Options: Sendable {
        /// Attempts that are kept of one request; the older ones go.
        package var attemptsKept = 100
        /// Bound of the file; beyond it writes fail with `.full`. Nil: the disk's.
        package var databaseBytesMax: Int64?
        package init() {}
    }

    let attemptsKept: Int
    let store: SQLiteStore<LedgerError>

    /// Opens the file, makes or migrates its tables, and takes the exclusive lock `alerts.lock` in
    /// the file's directory.
    /// - Throws: `.busy` when another process has it, `.misconfigured` when a newer version wrote
    ///   it, `.corrupt`, `.full` or `.unavailable` as the file system has it.
    package init(path: String, options: Options = Options()) throws(LedgerError) {
        attemptsKept = options.attemptsKept
        var file = SQLiteFile(
            path: path, schema: AlertSchema.schema, lock: "alerts.lock", synchronous: .full)
        file.readerCacheKibibytes = 4_096
        file.readerCount = 2
        file.databaseBytesMax = options.databaseBytesMax
        store = try SQLiteStore(file) { LedgerError($0) }
    }

    /// Waits for a commit under way, then frees everything; idempotent. Later calls throw
    /// `.unavailable`.
    package func close() { store.close() }
}
