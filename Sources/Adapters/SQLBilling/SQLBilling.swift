package import MeteringPorts
package import SQLClient

/// Statements, adjustments and what is still to be put right about them, in one SQLite file.
///
/// One connection writes, guarded by a lock; a few others read, each from its own snapshot, so
/// reads never wait for a commit. A commit is on the disk when it returns (`synchronous = FULL`):
/// unlike the ledger, what was billed cannot be made anew from the log.
package final class SQLBilling: Sendable {
    package struct Options: Sendable {
        /// Page cache of the writing connection.
        package var cacheMebibytes = 32
        /// Connections for reads; a read waits while all are busy.
        package var readConnections = 3
        package var busyTimeoutMilliseconds: Int32 = 5_000
        /// Bound of the file; beyond it commits fail with `.full`. Nil: the disk's.
        package var databaseBytesMax: Int64?
        package init() {}
    }

    /// The writing connection; the lock goes with it.
    private struct Writer {
        let connection: SQLConnection
        let lock: DirectoryLock
    }

    private let path: String
    private let writer: Monitor<Writer?>
    private let readers: SQLReaders

    /// Opens the file, makes or migrates its tables, and takes the exclusive lock `billing.lock`
    /// in the file's directory.
    /// - Throws: `.busy` when another process has it, `.misconfigured` when a newer version wrote
    ///   it, `.corrupt`, `.full` or `.unavailable` as the file system has it.
    package init(path: String, options: Options = Options()) throws(BillingStoreError) {
        self.path = path
        do {
            writer = Monitor(try Self.openWriter(path, options))
            readers = try SQLReaders(count: options.readConnections) { () throws(SQLError) in
                try Self.openReader(path, options)
            }
        } catch {
            throw BillingStoreError(error)
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

    /// Runs `body` in one durable transaction: for this target, and for those that keep what they
    /// did with statements (exports) in the same file.
    package func write<Result>(
        _ body: (SQLConnection) throws(BillingStoreError) -> Result
    ) throws(BillingStoreError) -> Result {
        try writer.withLock { (writer) throws(BillingStoreError) in
            guard let writer else {
                throw BillingStoreError(code: .unavailable, message: "\(path) is closed")
            }
            return try writer.connection.transaction(mapping: { BillingStoreError($0) }) {
                () throws(BillingStoreError) in
                try body(writer.connection)
            }
        }
    }

    /// The same for a body that only meets the driver's errors.
    func writeRows<Result>(
        _ body: (SQLConnection) throws(SQLError) -> Result
    ) throws(BillingStoreError) -> Result {
        try write { (connection) throws(BillingStoreError) in
            do throws(SQLError) {
                return try body(connection)
            } catch {
                throw BillingStoreError(error)
            }
        }
    }

    /// Runs `body` on a reading connection, waiting for a free one.
    package func read<Result>(
        _ body: (SQLConnection) throws(SQLError) -> Result
    ) throws(BillingStoreError) -> Result {
        do {
            if let result = try readers.read(body) { return result }
        } catch {
            throw BillingStoreError(error)
        }
        throw BillingStoreError(code: .unavailable, message: "\(path) is closed")
    }

    /// `read` in one snapshot, for a body of several statements that must agree.
    func readTogether<Result>(
        _ body: (SQLConnection) throws(SQLError) -> Result
    ) throws(BillingStoreError) -> Result {
        try read { (connection) throws(SQLError) in
            try connection.transaction(.deferred) { () throws(SQLError) in try body(connection) }
        }
    }

    // MARK: opening

    private static func openWriter(
        _ path: String, _ options: Options
    ) throws(SQLError) -> sending Writer {
        let lock = try DirectoryLock(besides: path, file: "billing.lock")
        var settings = SQLConnection.Options(synchronous: .full)
        settings.cacheKibibytes = options.cacheMebibytes * 1_024
        settings.busyTimeoutMilliseconds = options.busyTimeoutMilliseconds
        settings.databaseBytesMax = options.databaseBytesMax
        let connection = try SQLConnection(path: path, options: settings)
        try BillingSchema.schema.migrate(connection)
        return Writer(connection: connection, lock: lock)
    }

    private static func openReader(
        _ path: String, _ options: Options
    ) throws(SQLError) -> SQLConnection {
        var settings = SQLConnection.Options(synchronous: .normal, isReadOnly: true)
        settings.cacheKibibytes = 8_192
        settings.busyTimeoutMilliseconds = options.busyTimeoutMilliseconds
        let connection = try SQLConnection(path: path, options: settings)
        try BillingSchema.schema.check(connection)
        return connection
    }
}
