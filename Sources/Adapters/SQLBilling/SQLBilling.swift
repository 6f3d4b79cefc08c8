package import MeteringPorts
import SQLClient

/// Statements, adjustments and what is still to be put right about them, in one SQLite file.
///
/// One connection writes, guarded by a lock; a few others read, each from its own snapshot, so
/// reads never wait for a commit. A commit is on the disk when it returns (`synchronous = FULL`):
/// unlike the ledger, what was billed cannot be made anew from the log.
package final class SQLBilling: Sendable {
    package struct Options: Sendable {
        /// Bound of the file; beyond it commits fail with `.full`. Nil: the disk's.
        package var databaseBytesMax: Int64?
        package init() {}
    }

    let store: SQLiteStore<BillingStoreError>

    /// Opens the file, makes or migrates its tables, and takes the exclusive lock `billing.lock`
    /// in the file's directory.
    /// - Throws: `.busy` when another process has it, `.misconfigured` when a newer version wrote
    ///   it, `.corrupt`, `.full` or `.unavailable` as the file system has it.
    package init(path: String, options: Options = Options()) throws(BillingStoreError) {
        var file = SQLiteFile(
            path: path, schema: BillingSchema.schema, lock: "billing.lock", synchronous: .full)
        file.writerCacheKibibytes = 32_768
        file.databaseBytesMax = options.databaseBytesMax
        store = try SQLiteStore(file) { BillingStoreError($0) }
    }

    /// Waits for a commit under way, then frees everything; idempotent. Later calls throw
    /// `.unavailable`.
    package func close() { store.close() }
}
