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
        /// Page cache of the writing connection.
        package var cacheMebibytes = 64
        /// Connections for queries; a query waits while all are busy.
        package var readConnections = 4
        package var busyTimeoutMilliseconds: Int32 = 5_000
        /// Bound of the file; beyond it commits fail with `.full`. Nil: the disk's.
        package var databaseBytesMax: Int64?
        /// For tools beside a running service: no lock, no migration, and writes are refused.
        package var isReadOnly = false
        package init() {}
    }

    private let path: String
    private let options: Options
    private let writer: Monitor<LedgerWriter?>
    private let readers: SQLReaders

    /// Opens the ledger, makes or migrates its tables, and takes the exclusive lock
    /// `ledger.lock` in the file's directory.
    /// - Throws: `.busy` when another process has the ledger, `.misconfigured` when a newer
    ///   version wrote it, `.corrupt`, `.full` or `.unavailable` as the file system has it.
    package init(path: String, options: Options = Options()) throws(LedgerError) {
        self.path = path
        self.options = options
        do {
            if options.isReadOnly {
                writer = Monitor(nil)
            } else {
                writer = Monitor(try Self.openWriter(path, options))
            }
            readers = try SQLReaders(count: options.readConnections) { () throws(SQLError) in
                try Self.openReader(path, options)
            }
        } catch {
            throw LedgerError(error)
        }
    }

    /// A reader of the same file with one connection of its own.
    init(readingAlong other: SQLLedger) throws(LedgerError) {
        (path, options) = (other.path, other.options)
        writer = Monitor(nil)
        do {
            readers = try SQLReaders(count: 1) { [path, options] () throws(SQLError) in
                try Self.openReader(path, options)
            }
        } catch {
            throw LedgerError(error)
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

    // MARK: access for the extensions

    /// Runs `body` on the writing connection, alone.
    func withWriter<Result>(
        _ body: (LedgerWriter) throws(LedgerError) -> Result
    ) throws(LedgerError) -> Result {
        try writer.withLock { (writer) throws(LedgerError) in
            guard let writer else { throw Self.notWritable(path) }
            return try body(writer)
        }
    }

    /// Runs `body` in one transaction of the writing connection, fsynced: the log, which repeats
    /// what a commit loses, knows nothing of cold writes.
    func write<Result>(
        _ body: (SQLConnection) throws(SQLError) -> Result
    ) throws(LedgerError) -> Result {
        try withWriter { (writer) throws(LedgerError) in
            do throws(SQLError) {
                let connection = writer.connection
                return try connection.durably { () throws(SQLError) in
                    try connection.transaction { () throws(SQLError) in try body(connection) }
                }
            } catch {
                throw LedgerError(error)
            }
        }
    }

    /// `write`, for what the writer knows to do.
    func writeAsWriter(_ body: (LedgerWriter) throws(SQLError) -> Void) throws(LedgerError) {
        try withWriter { (writer) throws(LedgerError) in
            do throws(SQLError) {
                try writer.connection.durably { () throws(SQLError) in
                    try writer.connection.transaction { () throws(SQLError) in try body(writer) }
                }
            } catch {
                throw LedgerError(error)
            }
        }
    }

    /// Runs `body` on a reading connection, waiting for a free one.
    func read<Result>(
        _ body: (SQLConnection) throws(SQLError) -> Result
    ) throws(LedgerError) -> Result {
        do {
            if let result = try readers.read(body) { return result }
        } catch {
            throw LedgerError(error)
        }
        throw LedgerError(code: .unavailable, message: "the ledger \(path) is closed")
    }

    // MARK: opening

    private static func openWriter(
        _ path: String, _ options: Options
    ) throws(SQLError) -> sending LedgerWriter {
        let lock = try DirectoryLock(besides: path, file: "ledger.lock")
        var settings = SQLConnection.Options(synchronous: .normal)
        settings.cacheKibibytes = options.cacheMebibytes * 1_024
        settings.busyTimeoutMilliseconds = options.busyTimeoutMilliseconds
        settings.databaseBytesMax = options.databaseBytesMax
        // As large as the log's file is kept anyway (64 MiB): commits of a backlog touch pages all
        // over the tables, and moving them out after each one would double the writing.
        settings.checkpointPages = 16_000
        let connection = try SQLConnection(path: path, options: settings)
        try LedgerSchema.schema.migrate(connection)
        return LedgerWriter(connection: connection, lock: lock)
    }

    private static func openReader(
        _ path: String, _ options: Options
    ) throws(SQLError) -> SQLConnection {
        var settings = SQLConnection.Options(synchronous: .normal, isReadOnly: true)
        settings.cacheKibibytes = 8_192
        settings.busyTimeoutMilliseconds = options.busyTimeoutMilliseconds
        let connection = try SQLConnection(path: path, options: settings)
        try LedgerSchema.schema.check(connection)
        return connection
    }

    private static func notWritable(_ path: String) -> LedgerError {
        LedgerError(
            code: .unavailable, message: "the ledger \(path) is closed, or was opened for reading")
    }
}
