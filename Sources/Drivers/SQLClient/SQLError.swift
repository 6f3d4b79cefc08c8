/// The one error of this target.
package struct SQLError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// No room: the disk is full, or the database has reached its page bound.
        case full
        /// Another connection or process holds a lock that was waited for in vain.
        case busy
        /// A constraint of the schema refused a row.
        case constraint
        /// A value does not fit its column's type; for an integer sum this is an overflow.
        case outOfRange
        /// The file is damaged, or is no database.
        case corrupt
        case ioError
        case cannotOpen
        case readOnly
        /// The store was closed, or was opened for reading and asked to write.
        case closed
        /// A call that this code should not have made.
        case misuse
        case other
    }

    package var code: Code
    /// SQLite's extended result code, or errno where no SQLite call was involved.
    package var rawCode: Int32
    package var message: String
    /// The statement at fault, where there is one.
    package var sql: String?
    /// Raised by COMMIT itself: after a crash the transaction may turn out to be stored.
    package var isFromCommit = false

    package init(code: Code, rawCode: Int32, message: String, sql: String? = nil) {
        self.code = code
        self.rawCode = rawCode
        self.message = message
        self.sql = sql
    }

    /// A row that no writer of ours has left like this.
    package static func damaged(_ what: String) -> SQLError {
        SQLError(code: .corrupt, rawCode: 0, message: what)
    }

    package var description: String {
        let place = sql.map { " in: \($0)" } ?? ""
        return "\(message) (\(code.rawValue), code \(rawCode))\(place)"
    }
}
