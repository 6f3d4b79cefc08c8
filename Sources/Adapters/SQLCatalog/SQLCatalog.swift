package import MeteringPorts
import SQLClient
import Synchronization

/// The control plane's records and the hash-chained log of their changes, in one SQLite file.
///
/// One connection writes, guarded by a lock; a few others read, each from its own snapshot, so
/// reads never wait for a commit. A commit is on the disk when it returns (`synchronous = FULL`).
package final class SQLCatalog: Sendable {
    package struct Options: Sendable {
        /// Page cache of the writing connection.
        package var cacheMebibytes = 64
        /// Connections for reads; a read waits while all are busy.
        package var readConnections = 3
        package var busyTimeoutMilliseconds: Int32 = 5_000
        /// Bound of the file; beyond it commits fail with `.full`. Nil: the disk's.
        package var databaseBytesMax: Int64?
        /// For tools beside a running service: no lock, no migration, and writes are refused.
        package var isReadOnly = false
        package init() {}
    }

    private let path: String
    private let head: Atomic<Int64>
    private let writer: Monitor<CatalogWriter?>
    private let readers: SQLReaders

    /// Opens the file, makes or migrates its tables, and takes the exclusive lock `catalog.lock`
    /// in the file's directory.
    /// - Throws: `.busy` when another process has it, `.misconfigured` when a newer version wrote
    ///   it, `.corrupt`, `.full` or `.unavailable` as the file system has it.
    package init(path: String, options: Options = Options()) throws(ControlStoreError) {
        self.path = path
        do {
            if options.isReadOnly {
                writer = Monitor(nil)
            } else {
                writer = Monitor(try Self.openWriter(path, options))
            }
            readers = try SQLReaders(count: options.readConnections) { () throws(SQLError) in
                try Self.openReader(path, options.busyTimeoutMilliseconds)
            }
            let last = try readers.read { (connection) throws(SQLError) in
                try connection.integer("SELECT max(seq) FROM changes") ?? 0
            }
            head = Atomic(last ?? 0)
        } catch {
            throw ControlStoreError(error)
        }
    }

    /// Waits for a commit under way, then frees everything; idempotent. Later calls throw
    /// `.unavailable`.
    package func close() {
        readers.close()
        writer.withLock { writer in
            writer?.connection.close()
            writer = nil
        }
    }

    /// Sequence of the last change that this object committed or found.
    package var revision: Int64 {
        // Relaxed is enough: the number publishes nothing but itself.
        head.load(ordering: .relaxed)
    }

    package func commit(_ commit: ControlCommit) throws(ControlStoreError) -> Int64 {
        try withWriter { (writer) throws(ControlStoreError) in
            let revision = try writer.commit(commit)
            head.store(revision, ordering: .relaxed)
            return revision
        }
    }

    // MARK: access for the extensions

    /// Runs `body` on the writing connection, alone.
    func withWriter<Result>(
        _ body: (CatalogWriter) throws(ControlStoreError) -> Result
    ) throws(ControlStoreError) -> Result {
        try writer.withLock { (writer) throws(ControlStoreError) in
            guard let writer else {
                throw ControlStoreError(
                    code: .unavailable,
                    message: "\(path) is closed, or was opened for reading")
            }
            return try body(writer)
        }
    }

    /// Runs `body` in one durable transaction of the writing connection.
    func write<Result>(
        _ body: (SQLConnection) throws(SQLError) -> Result
    ) throws(ControlStoreError) -> Result {
        try withWriter { (writer) throws(ControlStoreError) in
            do throws(SQLError) {
                let connection = writer.connection
                return try connection.transaction { () throws(SQLError) in try body(connection) }
            } catch {
                throw ControlStoreError(error)
            }
        }
    }

    /// The same without an fsync: for rows that a power failure may forget, and that come often.
    func writeLazily<Result>(
        _ body: (SQLConnection) throws(SQLError) -> Result
    ) throws(ControlStoreError) -> Result {
        try withWriter { (writer) throws(ControlStoreError) in
            do throws(SQLError) {
                return try writer.lazily { (connection) throws(SQLError) in
                    try connection.transaction { () throws(SQLError) in try body(connection) }
                }
            } catch {
                throw ControlStoreError(error)
            }
        }
    }

    /// Runs `body` on a reading connection, waiting for a free one.
    func read<Result>(
        _ body: (SQLConnection) throws(SQLError) -> Result
    ) throws(ControlStoreError) -> Result {
        do {
            if let result = try readers.read(body) { return result }
        } catch {
            throw ControlStoreError(error)
        }
        throw ControlStoreError(code: .unavailable, message: "\(path) is closed")
    }

    // MARK: opening

    private static func openWriter(
        _ path: String, _ options: Options
    ) throws(SQLError) -> sending CatalogWriter {
        let lock = try DirectoryLock(besides: path, file: "catalog.lock")
        var settings = SQLConnection.Options(synchronous: .full)
        settings.cacheKibibytes = options.cacheMebibytes * 1_024
        settings.busyTimeoutMilliseconds = options.busyTimeoutMilliseconds
        settings.databaseBytesMax = options.databaseBytesMax
        // As large as the log's file is kept anyway (64 MiB): a chunk of an import touches pages
        // all over the indexes, and moving them out after each one would double the writing.
        settings.checkpointPages = 16_000
        let connection = try SQLConnection(path: path, options: settings)
        try CatalogSchema.schema.migrate(connection)
        return CatalogWriter(connection: connection, lock: lock)
    }

    static func openReader(
        _ path: String, _ busyTimeoutMilliseconds: Int32 = 5_000
    ) throws(SQLError) -> SQLConnection {
        var settings = SQLConnection.Options(synchronous: .normal, isReadOnly: true)
        settings.cacheKibibytes = 8_192
        settings.busyTimeoutMilliseconds = busyTimeoutMilliseconds
        let connection = try SQLConnection(path: path, options: settings)
        try CatalogSchema.schema.check(connection)
        return connection
    }
}
