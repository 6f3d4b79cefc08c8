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

    private struct Readers {
        var idle: [SQLConnection]
        var isClosed = false
    }

    private let path: String
    private let writer: Monitor<LedgerWriter?>
    private let readers: Monitor<Readers>

    /// Opens the ledger, makes or migrates its tables, and takes the exclusive lock
    /// `ledger.lock` in the file's directory.
    /// - Throws: `.busy` when another process has the ledger, `.misconfigured` when a newer
    ///   version wrote it, `.corrupt`, `.full` or `.unavailable` as the file system has it.
    package init(path: String, options: Options = Options()) throws(LedgerError) {
        self.path = path
        do {
            if options.isReadOnly {
                writer = Monitor(nil)
            } else {
                writer = Monitor(try Self.openWriter(path, options))
            }
            var connections: [SQLConnection] = []
            for _ in 0..<Swift.max(1, options.readConnections) {
                connections.append(try Self.openReader(path, options))
            }
            readers = Monitor(Readers(idle: connections))
        } catch {
            throw LedgerError(error)
        }
    }

    /// Waits for a commit under way, then frees everything; idempotent. Later calls throw
    /// `.unavailable`.
    package func close() {
        let idle = readers.withLock { pool in
            pool.isClosed = true
            let idle = pool.idle
            pool.idle = []
            return idle
        }
        readers.wakeAll()
        for connection in idle { connection.close() }
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
        let taken = readers.wait { pool in
            pool.isClosed ? .some(nil) : pool.idle.popLast().map(Optional.some)
        }
        guard let connection = taken ?? nil else {
            throw LedgerError(code: .unavailable, message: "the ledger \(path) is closed")
        }
        defer { giveBack(connection) }
        do {
            return try body(connection)
        } catch {
            throw LedgerError(error)
        }
    }

    private func giveBack(_ connection: SQLConnection) {
        readers.withLock { pool in
            if pool.isClosed { connection.close() } else { pool.idle.append(connection) }
        }
        readers.wakeAll()
    }

    // MARK: opening

    private static func openWriter(
        _ path: String, _ options: Options
    ) throws(SQLError) -> sending LedgerWriter {
        let lock = try DirectoryLock(directory(of: path), file: "ledger.lock")
        var settings = SQLConnection.Options(synchronous: .normal)
        settings.cacheKibibytes = options.cacheMebibytes * 1_024
        settings.busyTimeoutMilliseconds = options.busyTimeoutMilliseconds
        settings.databaseBytesMax = options.databaseBytesMax
        // As large as the log's file is kept anyway (64 MiB): commits of a backlog touch pages all
        // over the tables, and moving them out after each one would double the writing.
        settings.checkpointPages = 16_000
        let connection = try SQLConnection(path: path, options: settings)
        try LedgerSchema.migrate(connection)
        return LedgerWriter(connection: connection, lock: lock)
    }

    private static func openReader(
        _ path: String, _ options: Options
    ) throws(SQLError) -> SQLConnection {
        var settings = SQLConnection.Options(synchronous: .normal, isReadOnly: true)
        settings.cacheKibibytes = 8_192
        settings.busyTimeoutMilliseconds = options.busyTimeoutMilliseconds
        let connection = try SQLConnection(path: path, options: settings)
        try LedgerSchema.check(connection)
        return connection
    }

    private static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func notWritable(_ path: String) -> LedgerError {
        LedgerError(
            code: .unavailable, message: "the ledger \(path) is closed, or was opened for reading")
    }
}
