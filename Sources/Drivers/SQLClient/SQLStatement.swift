import CSQLite

/// A prepared statement. Parameters count from 1, columns from 0.
///
/// Belongs to the thread that uses its connection. A caller that leaves rows unread must `reset`.
@safe
package final class SQLStatement {
    private var handle: OpaquePointer?
    private let sql: String

    /// Tells SQLite to copy bound bytes before the call returns (SQLITE_TRANSIENT).
    private static var copied: sqlite3_destructor_type? {
        // SAFETY: SQLite documents −1 as this marker; it is compared and never called.
        unsafe unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    }

    init(database: OpaquePointer, sql: String) throws(SQLError) {
        self.sql = sql
        let flags = UInt32(SQLITE_PREPARE_PERSISTENT)
        // SAFETY: the database is open; −1 says that the bridged text ends with a zero byte.
        let result = unsafe sqlite3_prepare_v3(database, sql, -1, flags, &handle, nil)
        guard result == SQLITE_OK, unsafe handle != nil else {
            throw unsafe SQLError(result: result, database: database, sql: sql)
        }
    }

    deinit { close() }

    func close() {
        // SAFETY: finalize accepts nil; the handle is forgotten at once.
        unsafe sqlite3_finalize(handle)
        unsafe handle = nil
    }

    // MARK: parameters

    package func bind(_ value: Int64, at index: Int32) throws(SQLError) {
        // SAFETY: a closed statement is nil, which SQLite answers with an error, here and below.
        try check(unsafe sqlite3_bind_int64(handle, index, value))
    }

    /// Nil binds NULL.
    package func bind(_ value: Int64?, at index: Int32) throws(SQLError) {
        if let value { try bind(value, at: index) } else { try bindNull(at: index) }
    }

    package func bind(_ text: String, at index: Int32) throws(SQLError) {
        var text = text
        let result = text.withUTF8 { buffer in
            // SAFETY: the bytes are copied before the call returns. Without a base address the
            // empty literal stands in, as a nil pointer would bind NULL.
            guard let base = buffer.baseAddress else {
                return unsafe sqlite3_bind_text(handle, index, "", 0, Self.copied)
            }
            return unsafe base.withMemoryRebound(to: CChar.self, capacity: buffer.count) {
                unsafe sqlite3_bind_text(handle, index, $0, Int32(buffer.count), Self.copied)
            }
        }
        try check(result)
    }

    package func bind(_ bytes: RawSpan, at index: Int32) throws(SQLError) {
        // SAFETY: as for text; an empty byte string is not NULL.
        let result = unsafe bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress, buffer.count > 0 else {
                return unsafe sqlite3_bind_zeroblob(handle, index, 0)
            }
            let count = UInt64(buffer.count)
            return unsafe sqlite3_bind_blob64(handle, index, base, count, Self.copied)
        }
        try check(result)
    }

    package func bind(_ bytes: [UInt8], at index: Int32) throws(SQLError) {
        // SAFETY: the array is alive during the call, and all of its bytes are initialised.
        try unsafe bind(bytes.span.bytes, at: index)
    }

    /// Nil binds NULL.
    package func bind(_ bytes: [UInt8]?, at index: Int32) throws(SQLError) {
        if let bytes { try bind(bytes, at: index) } else { try bindNull(at: index) }
    }

    package func bindNull(at index: Int32) throws(SQLError) {
        try check(unsafe sqlite3_bind_null(handle, index))
    }

    // MARK: execution

    /// - Returns: true when there is a row to read, false at the end.
    package func step() throws(SQLError) -> Bool {
        let result = unsafe sqlite3_step(handle)
        switch result {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default:
            let error = unsafe SQLError(result: result, database: database, sql: sql)
            reset()
            throw error
        }
    }

    /// Runs to the end, passing over rows, and resets.
    package func run() throws(SQLError) {
        while try step() {}
        reset()
    }

    /// Ends the execution, so that the statement holds no lock and can be run again. Parameters
    /// keep their values. An error was thrown by the `step` that met it.
    package func reset() {
        unsafe sqlite3_reset(handle)
    }

    // MARK: columns of the current row

    package func isNull(at column: Int32) -> Bool {
        unsafe sqlite3_column_type(handle, column) == SQLITE_NULL
    }

    /// NULL reads as 0.
    package func integer(at column: Int32) -> Int64 {
        unsafe sqlite3_column_int64(handle, column)
    }

    package func optionalInteger(at column: Int32) -> Int64? {
        isNull(at: column) ? nil : integer(at: column)
    }

    /// NULL reads as the empty string; bytes that are not UTF-8 are repaired.
    package func string(at column: Int32) -> String {
        // SAFETY: the text is valid until the next step; its length is asked for after it, as
        // SQLite wants, and both are used up inside this function.
        guard let text = unsafe sqlite3_column_text(handle, column) else { return "" }
        let count = Int(unsafe sqlite3_column_bytes(handle, column))
        return unsafe String(
            decoding: UnsafeBufferPointer(start: text, count: count), as: UTF8.self)
    }

    /// NULL reads as no bytes.
    package func bytes(at column: Int32) -> [UInt8] {
        // SAFETY: as for text.
        guard let base = unsafe sqlite3_column_blob(handle, column) else { return [] }
        let count = Int(unsafe sqlite3_column_bytes(handle, column))
        return unsafe Array(UnsafeRawBufferPointer(start: base, count: count))
    }

    /// Hands over the column's bytes without copying them; the span is valid inside `body` only.
    package func withBytes<Result>(at column: Int32, _ body: (RawSpan) -> Result) -> Result {
        // SAFETY: the bytes stay valid until the next step or reset, which cannot happen inside
        // `body` by anyone but this statement's one user; the span cannot leave `body`.
        let base = unsafe sqlite3_column_blob(handle, column)
        let count = Int(unsafe sqlite3_column_bytes(handle, column))
        let buffer = unsafe UnsafeRawBufferPointer(start: base, count: base == nil ? 0 : count)
        return unsafe body(buffer.bytes)
    }

    // MARK: parts

    private var database: OpaquePointer? {
        unsafe handle == nil ? nil : sqlite3_db_handle(handle)
    }

    private func check(_ result: Int32) throws(SQLError) {
        if result != SQLITE_OK {
            throw unsafe SQLError(result: result, database: database, sql: sql)
        }
    }
}
