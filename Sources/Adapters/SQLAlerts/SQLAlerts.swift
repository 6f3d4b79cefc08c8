package import MeteringPorts
import SQLClient

/// What alerts there are, for whom they wait and what came of them, in one SQLite file.
///
/// One connection writes, guarded by a lock; a few others read, each from its own snapshot. A
/// commit is on the disk when it returns (`synchronous = FULL`): nothing is sent that a power
/// failure could make us forget.
package final class SQLAlerts: Sendable {
    package struct Options: Sendable {
        package var cacheMebibytes = 16
        /// Connections for reads; a read waits while all are busy.
        package var readConnections = 2
        /// Attempts that are kept of one request; the older ones go.
        package var attemptsKept = 100
        /// Bound of the file; beyond it writes fail with `.full`. Nil: the disk's.
        package var databaseBytesMax: Int64?
        package init() {}
    }

    private final class Writer {
        let connection: SQLConnection
        let lock: DirectoryLock

        init(connection: SQLConnection, lock: DirectoryLock) {
            self.connection = connection
            self.lock = lock
        }
    }

    let attemptsKept: Int
    private let path: String
    private let writer: Monitor<Writer?>
    private let readers: SQLReaders

    /// Opens the file, makes or migrates its tables, and takes the exclusive lock `alerts.lock` in
    /// the file's directory.
    /// - Throws: `.busy` when another process has it, `.misconfigured` when a newer version wrote
    ///   it, `.corrupt`, `.full` or `.unavailable` as the file system has it.
    package init(path: String, options: Options = Options()) throws(LedgerError) {
        self.path = path
        attemptsKept = options.attemptsKept
        do {
            writer = Monitor(try Self.openWriter(path, options))
            readers = try SQLReaders(count: options.readConnections) { () throws(SQLError) in
                var settings = SQLConnection.Options(synchronous: .normal, isReadOnly: true)
                settings.cacheKibibytes = 4_096
                let connection = try SQLConnection(path: path, options: settings)
                try AlertSchema.schema.check(connection)
                return connection
            }
        } catch {
            throw LedgerError(error)
        }
    }

    private static func openWriter(
        _ path: String, _ options: Options
    ) throws(SQLError) -> sending Writer {
        let lock = try DirectoryLock(besides: path, file: "alerts.lock")
        var settings = SQLConnection.Options(synchronous: .full)
        settings.cacheKibibytes = options.cacheMebibytes * 1_024
        settings.databaseBytesMax = options.databaseBytesMax
        let connection = try SQLConnection(path: path, options: settings)
        try AlertSchema.schema.migrate(connection)
        return Writer(connection: connection, lock: lock)
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

    /// Runs `body` in one durable transaction of the writing connection.
    func write<Result>(
        _ body: (SQLConnection) throws(SQLError) -> Result
    ) throws(LedgerError) -> Result {
        try writer.withLock { (writer) throws(LedgerError) in
            guard let connection = writer?.connection else { throw closed }
            do throws(SQLError) {
                return try connection.transaction { () throws(SQLError) in try body(connection) }
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
        throw closed
    }

    private var closed: LedgerError {
        LedgerError(code: .unavailable, message: "\(path) is closed")
    }
}
