/// A database file of SQLite that a store keeps: where it is, what is in it, how it is opened.
package struct SQLiteFile: Sendable {
    package var path: String
    package var schema: SQLSchema
    /// Name of the lock in the file's directory that whoever writes must hold.
    package var lock: String
    /// Of commits, unless a write asks for something else.
    package var synchronous: SQLConnection.Options.Synchronous
    /// Page cache of the writing connection.
    package var writerCacheKibibytes = 16_384
    /// Page cache of each reading connection.
    package var readerCacheKibibytes = 8_192
    /// Connections for reads; a read waits while all are busy.
    package var readerCount = 3
    package var busyTimeoutMilliseconds: Int32 = 5_000
    /// Pages of the write-ahead log after which a commit moves them into the database.
    package var checkpointPages = 2_000
    /// Bound of the file; beyond it writes fail with `.full`. Nil: the disk's.
    package var databaseBytesMax: Int64?
    /// For tools beside a running service: no lock, no migration, and writes are refused.
    package var isReadOnly = false

    package init(
        path: String, schema: SQLSchema, lock: String,
        synchronous: SQLConnection.Options.Synchronous
    ) {
        self.path = path
        self.schema = schema
        self.lock = lock
        self.synchronous = synchronous
    }

    /// A connection for the holder of the lock; the tables are made or migrated first.
    func openWriter() throws(SQLError) -> SQLConnection {
        var options = SQLConnection.Options(synchronous: synchronous)
        options.cacheKibibytes = writerCacheKibibytes
        options.busyTimeoutMilliseconds = busyTimeoutMilliseconds
        options.checkpointPages = checkpointPages
        options.databaseBytesMax = databaseBytesMax
        let connection = try SQLConnection(path: path, options: options)
        try schema.migrate(connection)
        return connection
    }

    /// A connection that writes nothing and needs no lock.
    /// - Throws: `.readOnly` when the file has another version of the schema.
    package func openReader() throws(SQLError) -> SQLConnection {
        var options = SQLConnection.Options(synchronous: synchronous, isReadOnly: true)
        options.cacheKibibytes = readerCacheKibibytes
        options.busyTimeoutMilliseconds = busyTimeoutMilliseconds
        let connection = try SQLConnection(path: path, options: options)
        try schema.check(connection)
        return connection
    }
}
