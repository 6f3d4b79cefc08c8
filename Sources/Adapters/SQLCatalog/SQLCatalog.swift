package import MeteringPorts
import SQLClient
import Synchronization

/// The control plane's records and the hash-chained log of their changes, in one SQLite file.
///
/// One connection writes, guarded by a lock; a few others read, each from its own snapshot, so
/// reads never wait for a commit. A commit is on the disk when it returns (`synchronous = FULL`).
package final class SQLCatalog: Sendable {
    package struct Options: Sendable {
        /// Bound of the file; beyond it commits fail with `.full`. Nil: the disk's.
        package var databaseBytesMax: Int64?
        /// For tools beside a running service: no lock, no migration, and writes are refused.
        package var isReadOnly = false
        package init() {}
    }

    let store: SQLiteStore<ControlStoreError>
    private let head: Atomic<Int64>

    /// Opens the file, makes or migrates its tables, and takes the exclusive lock `catalog.lock`
    /// in the file's directory.
    /// - Throws: `.busy` when another process has it, `.misconfigured` when a newer version wrote
    ///   it, `.corrupt`, `.full` or `.unavailable` as the file system has it.
    package init(path: String, options: Options = Options()) throws(ControlStoreError) {
        var file = Self.file(path)
        file.databaseBytesMax = options.databaseBytesMax
        file.isReadOnly = options.isReadOnly
        store = try SQLiteStore(file) { ControlStoreError($0) }
        let last = try store.read { (connection) throws(SQLError) in
            try connection.integer("SELECT max(seq) FROM changes") ?? 0
        }
        head = Atomic(last)
    }

    static func file(_ path: String) -> SQLiteFile {
        var file = SQLiteFile(
            path: path, schema: CatalogSchema.schema, lock: "catalog.lock", synchronous: .full)
        file.writerCacheKibibytes = 65_536
        // As large as the log's file is kept anyway (64 MiB): a chunk of an import touches pages
        // all over the indexes, and moving them out after each one would double the writing.
        file.checkpointPages = 16_000
        return file
    }

    /// Waits for a commit under way, then frees everything; idempotent. Later calls throw
    /// `.unavailable`.
    package func close() { store.close() }

    /// Sequence of the last change that this object committed or found.
    package var revision: Int64 {
        // Relaxed is enough: the number publishes nothing but itself.
        head.load(ordering: .relaxed)
    }

    package func commit(_ commit: ControlCommit) throws(ControlStoreError) -> Int64 {
        try store.withWriter { (connection) throws(ControlStoreError) in
            let revision = try CatalogWriter(connection: connection).commit(commit)
            head.store(revision, ordering: .relaxed)
            return revision
        }
    }
}
