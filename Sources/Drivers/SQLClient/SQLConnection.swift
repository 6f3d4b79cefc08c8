import CSQLite

/// One connection to a SQLite database file, with its prepared statements.
///
/// Used by one thread at a time; the owner sees to that (its own thread, or a `Monitor`).
/// After any error, a full disk included, the connection can go on being used.
@safe
package final class SQLConnection {
    package struct Options: Sendable {
        package enum Synchronous: String, Sendable {
            /// Each commit is on the disk before it returns.
            case full = "FULL"
            /// A power failure may undo the last commits, but never tears one.
            case normal = "NORMAL"
        }
        package var synchronous: Synchronous
        package var isReadOnly: Bool
        /// How long a call waits for another connection's lock.
        package var busyTimeoutMilliseconds: Int32 = 5_000
        package var cacheKibibytes: Int = 16_384
        package var mappedBytes: Int64 = 0
        /// Pages of the write-ahead log after which a commit moves them into the database.
        package var checkpointPages: Int = 2_000
        /// Only for a database that does not exist yet.
        package var pageBytes: Int = 4_096
        /// Bound of the database's size; beyond it writes fail with `.full`. Nil: the disk's.
        package var databaseBytesMax: Int64?

        package init(synchronous: Synchronous, isReadOnly: Bool = false) {
            self.synchronous = synchronous
            self.isReadOnly = isReadOnly
        }
    }

    /// Deferred takes the write lock at the first write, immediate at once.
    package enum TransactionMode: String, Sendable {
        case deferred = "BEGIN DEFERRED"
        case immediate = "BEGIN IMMEDIATE"
    }

    /// Bound of the statement cache; the texts are constants, so it is never reached.
    private static let statementCountMax = 256

    private let synchronous: Options.Synchronous
    /// Once, before the first connection: SQLite counts no allocations, which it does under a lock
    /// of the whole process. Nobody reads these counts.
    private static let prepareLibrary: Void = {
        // Refused, to no harm, when somebody else has used SQLite before.
        _ = tollgate_sqlite3_without_statistics()
    }()

    private var handle: OpaquePointer?
    private var statements: [String: SQLStatement] = [:]

    /// Opens `path`, creating the file unless read-only, and applies the options.
    package init(path: String, options: Options) throws(SQLError) {
        synchronous = options.synchronous
        let access =
            options.isReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        Self.prepareLibrary
        // SAFETY: `handle` outlives the call; SQLite sets it even when opening fails, and it is
        // closed then as well, by `deinit`.
        let result = unsafe sqlite3_open_v2(path, &handle, access | SQLITE_OPEN_NOMUTEX, nil)
        guard result == SQLITE_OK else {
            var error = unsafe SQLError(result: result, database: handle)
            error.message += ": \(path)"
            close()
            throw error
        }
        // SAFETY: the handle is open.
        unsafe sqlite3_extended_result_codes(handle, 1)
        unsafe sqlite3_busy_timeout(handle, options.busyTimeoutMilliseconds)
        do {
            try configure(options)
        } catch {
            close()
            throw error
        }
    }

    deinit { close() }

    private func configure(_ options: Options) throws(SQLError) {
        if !options.isReadOnly {
            try execute("PRAGMA page_size = \(options.pageBytes)")
            try execute("PRAGMA journal_mode = WAL")
            try execute("PRAGMA synchronous = \(options.synchronous.rawValue)")
            try execute("PRAGMA wal_autocheckpoint = \(options.checkpointPages)")
            // The log file shrinks back to this after a burst.
            try execute("PRAGMA journal_size_limit = \(Int64(64) << 20)")
        }
        try execute("PRAGMA cache_size = -\(options.cacheKibibytes)")
        try execute("PRAGMA mmap_size = \(options.mappedBytes)")
        try execute("PRAGMA temp_store = MEMORY")
        if let bytes = options.databaseBytesMax {
            let pageBytes = try integer("PRAGMA page_size") ?? 4_096
            try execute("PRAGMA max_page_count = \(Swift.max(1, bytes / pageBytes))")
        }
    }

    /// Frees everything; idempotent. Later calls throw `.misuse`.
    package func close() {
        for statement in statements.values { statement.close() }
        statements.removeAll()
        // SAFETY: close_v2 accepts nil and waits for statements still held elsewhere.
        unsafe sqlite3_close_v2(handle)
        unsafe handle = nil
    }

    /// Runs one or more statements; their rows, if any, are passed over.
    package func execute(_ sql: String) throws(SQLError) {
        let open = try unsafe openHandle()
        // SAFETY: no callback and no error buffer are passed; the text is copied by the bridge.
        let result = unsafe sqlite3_exec(open, sql, nil, nil, nil)
        if result != SQLITE_OK { throw unsafe SQLError(result: result, database: open, sql: sql) }
    }

    /// The prepared statement of `sql`, made on first use and kept; it comes reset.
    package func statement(_ sql: String) throws(SQLError) -> SQLStatement {
        if let known = statements[sql] {
            known.reset()
            return known
        }
        // SAFETY: the statement is finalised before the handle is closed.
        let made = try unsafe SQLStatement(database: openHandle(), sql: sql)
        if statements.count >= Self.statementCountMax { statements.removeAll() }
        statements[sql] = made
        return made
    }

    /// The first column of the first row as an integer; nil without a row, or for NULL.
    package func integer(_ sql: String) throws(SQLError) -> Int64? {
        let query = try statement(sql)
        defer { query.reset() }
        guard try query.step(), !query.isNull(at: 0) else { return nil }
        return query.integer(at: 0)
    }

    /// Rows that the last finished INSERT, UPDATE or DELETE wrote.
    package var changedRows: Int {
        // SAFETY: the handle is open, or nil, which the call answers with 0.
        unsafe handle == nil ? 0 : Int(sqlite3_changes(handle))
    }

    /// Runs `body` in one transaction: committed when it returns, undone when it throws or when
    /// the commit fails.
    /// - Parameter mapping: makes the caller's error of one of ours.
    package func transaction<Result, Failure: Error>(
        _ mode: TransactionMode = .immediate, mapping: (SQLError) -> Failure,
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        do {
            try statement(mode.rawValue).run()
        } catch {
            throw mapping(error)
        }
        let value: Result
        do {
            value = try body()
        } catch {
            rollBack()
            throw error
        }
        do {
            try statement("COMMIT").run()
        } catch {
            rollBack()
            var failure = error
            failure.isFromCommit = true
            throw mapping(failure)
        }
        return value
    }

    /// Runs `body` inside a transaction under way: what it did is undone when it throws, and the
    /// transaction goes on. Not to be nested.
    package func savepoint<Result, Failure: Error>(
        mapping: (SQLError) -> Failure, _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        do {
            try statement("SAVEPOINT part").run()
        } catch {
            throw mapping(error)
        }
        let outcome: Swift.Result<Result, Failure>
        do throws(Failure) {
            outcome = .success(try body())
        } catch {
            outcome = .failure(error)
        }
        do {
            if case .failure = outcome {
                for statement in statements.values { statement.reset() }
                try statement("ROLLBACK TO part").run()
            }
            try statement("RELEASE part").run()
        } catch {
            // SQLite has ended the whole transaction by itself (disk full, I/O error).
            if case .failure(let failure) = outcome { throw failure }
            throw mapping(error)
        }
        return try outcome.get()
    }

    /// The same, for a body that throws `SQLError`.
    package func transaction<Result>(
        _ mode: TransactionMode = .immediate, _ body: () throws(SQLError) -> Result
    ) throws(SQLError) -> Result {
        try transaction(mode, mapping: { $0 }, body)
    }

    /// Reads from now on what is committed now, until `letGoOfState`. For connections that only
    /// read.
    package func holdState() throws(SQLError) {
        letGoOfState()
        try statement(TransactionMode.deferred.rawValue).run()
        // A deferred transaction sees the state of its first read.
        _ = try integer("SELECT count(*) FROM sqlite_schema")
    }

    /// Reads again what is committed at the time of each read.
    package func letGoOfState() { rollBack() }

    /// Runs `body`, whose commits are as durable as `level` says, whatever the connection's others
    /// are. Call it outside a transaction.
    package func withSynchronous<Result>(
        _ level: Options.Synchronous, _ body: () throws(SQLError) -> Result
    ) throws(SQLError) -> Result {
        if level == synchronous { return try body() }
        try execute("PRAGMA synchronous = \(level.rawValue)")
        defer {
            do throws(SQLError) {
                try execute("PRAGMA synchronous = \(synchronous.rawValue)")
            } catch {
                // Fsyncing too much costs time. A later commit that is less durable than it claims
                // must not be.
                if synchronous == .full { close() }
            }
        }
        return try body()
    }

    /// A failing ROLLBACK is no error of its own: SQLite has then rolled back already.
    private func rollBack() {
        for statement in statements.values { statement.reset() }
        // SAFETY: the handle is open, or nil, which is checked first.
        if unsafe handle != nil, unsafe sqlite3_get_autocommit(handle) == 0 {
            try? execute("ROLLBACK")
        }
    }

    private func openHandle() throws(SQLError) -> OpaquePointer {
        // SAFETY: the pointer is handed on to callers that keep this connection.
        guard let open = unsafe handle else {
            throw SQLError(
                code: .misuse, rawCode: SQLITE_MISUSE, message: "the connection is closed")
        }
        return unsafe open
    }
}
