/// A database file in use: one connection writes, for one caller at a time, and a few others read,
/// each from its own snapshot, so that reads never wait for a commit.
///
/// A store of the domain keeps one of these and adds what it writes and reads. What goes wrong
/// reaches its callers as their own error, made by `failure` of the driver's.
package final class SQLiteStore<Failure: Error>: Sendable {
    /// The directory's lock goes with the connection.
    private struct Writer {
        let connection: SQLConnection
        let lock: DirectoryLock
    }

    private let file: SQLiteFile
    private let failure: @Sendable (SQLError) -> Failure
    /// Nil once closed, and in a store that only reads.
    private let writer: Monitor<Writer?>
    private let readers: SQLReaders

    /// Takes the lock, and makes or migrates the tables; a store that only reads does neither.
    /// - Throws: of `.busy`, when another holder has the lock; of `.readOnly`, when a newer version
    ///   wrote the file; of what the file system has against it.
    package init(
        _ file: SQLiteFile, failure: @escaping @Sendable (SQLError) -> Failure
    ) throws(Failure) {
        self.file = file
        self.failure = failure
        do throws(SQLError) {
            writer = Monitor(file.isReadOnly ? nil : try Self.openWriter(file))
            readers = try SQLReaders(count: file.readerCount) { () throws(SQLError) in
                try file.openReader()
            }
        } catch {
            throw failure(error)
        }
    }

    private static func openWriter(_ file: SQLiteFile) throws(SQLError) -> sending Writer {
        // The lock first: only its holder may migrate.
        let lock = try DirectoryLock(besides: file.path, file: file.lock)
        return Writer(connection: try file.openWriter(), lock: lock)
    }

    /// Waits for a write under way, then frees everything and gives the lock up; idempotent. Later
    /// calls throw of `.closed`.
    package func close() {
        readers.close()
        writer.withLock { writer in
            writer?.connection.close()
            writer = nil
        }
    }

    // MARK: writing

    /// Runs `body` on the writing connection, alone; transactions are its own affair.
    package func withWriter<Result>(
        _ body: (SQLConnection) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try writer.withLock { (writer) throws(Failure) in
            guard let writer else {
                throw failure(.closed(file.path, wasForReading: file.isReadOnly))
            }
            return try body(writer.connection)
        }
    }

    /// Runs `body` in one transaction: all of what it wrote is there when this returns, and nothing
    /// of it when this throws.
    package func transaction<Result>(
        _ body: (SQLConnection) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try withWriter { (connection) throws(Failure) in
            try connection.transaction(mapping: failure) { () throws(Failure) in
                try body(connection)
            }
        }
    }

    /// The same for a body that only meets the driver's errors.
    /// - Parameter synchronous: nil: as the file's other commits.
    package func write<Result>(
        _ synchronous: SQLConnection.Options.Synchronous? = nil,
        _ body: (SQLConnection) throws(SQLError) -> Result
    ) throws(Failure) -> Result {
        try withWriter { (connection) throws(Failure) in
            do throws(SQLError) {
                return try connection.withSynchronous(synchronous ?? file.synchronous) {
                    () throws(SQLError) in
                    try connection.transaction { () throws(SQLError) in try body(connection) }
                }
            } catch {
                throw failure(error)
            }
        }
    }

    // MARK: reading

    /// Runs `body` on a reading connection, waiting for a free one.
    package func read<Result>(
        _ body: (SQLConnection) throws(SQLError) -> Result
    ) throws(Failure) -> Result {
        do throws(SQLError) {
            guard let result = try readers.read(body) else { throw .closed(file.path) }
            return result
        } catch {
            throw failure(error)
        }
    }

    /// `read` in one snapshot, for a body of several statements that must agree.
    package func readTogether<Result>(
        _ body: (SQLConnection) throws(SQLError) -> Result
    ) throws(Failure) -> Result {
        try read { (connection) throws(SQLError) in
            try connection.transaction(.deferred) { () throws(SQLError) in try body(connection) }
        }
    }
}

extension SQLError {
    fileprivate static func closed(_ path: String, wasForReading: Bool = false) -> SQLError {
        SQLError(
            code: .closed, rawCode: 0,
            message: "\(path) \(wasForReading ? "was opened for reading" : "is closed")")
    }
}
