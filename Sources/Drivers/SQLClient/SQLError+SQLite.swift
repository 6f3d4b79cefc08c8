import CSQLite

extension SQLError {
    /// The error of the last call on `database`, which returned `result`.
    init(result: Int32, database: OpaquePointer?, sql: String? = nil) {
        // SAFETY: both calls return a C string that SQLite owns; it is copied at once.
        let text =
            unsafe database == nil
            ? String(cString: sqlite3_errstr(result)) : String(cString: sqlite3_errmsg(database))
        self.init(code: Code(result: result), rawCode: result, message: text, sql: sql)
    }
}

extension SQLError.Code {
    /// Primary and extended result codes of SQLite.
    init(result: Int32) {
        if result == sqliteConstraintDataType {
            self = .outOfRange
            return
        }
        switch result & 0xff {
        case SQLITE_FULL: self = .full
        case SQLITE_BUSY, SQLITE_LOCKED: self = .busy
        case SQLITE_CONSTRAINT: self = .constraint
        case SQLITE_MISMATCH, SQLITE_TOOBIG: self = .outOfRange
        case SQLITE_CORRUPT, SQLITE_NOTADB: self = .corrupt
        case SQLITE_IOERR: self = .ioError
        case SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_AUTH: self = .cannotOpen
        case SQLITE_READONLY: self = .readOnly
        case SQLITE_MISUSE, SQLITE_RANGE: self = .misuse
        default: self = .other
        }
    }
}

/// SQLITE_CONSTRAINT_DATATYPE; a macro that Swift cannot import. A STRICT table raises it when a
/// value has the wrong type, which an overflowing integer sum has: SQLite makes it a REAL.
private let sqliteConstraintDataType: Int32 = 19 | (12 << 8)
