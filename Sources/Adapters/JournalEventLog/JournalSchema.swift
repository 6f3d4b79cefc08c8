import MeteringModel
import SQLClient

/// The journal's one table. It is SQLite's alone, so its text need not suit another database.
enum JournalSchema {
    static let version: Int64 = 1

    static func create(_ connection: SQLConnection) throws(SQLError) {
        try connection.transaction { () throws(SQLError) in
            if try found(connection) == version { return }
            try connection.execute(
                """
                CREATE TABLE journal (
                    offset \(SQLType.integer) PRIMARY KEY CHECK (offset >= 0),
                    appended_at \(SQLType.integer) NOT NULL,
                    key \(SQLType.text) NOT NULL,
                    headers \(SQLType.bytes) NOT NULL,
                    value \(SQLType.bytes) NOT NULL,
                    checksum \(SQLType.integer) NOT NULL
                ) \(SQLType.strict)
                """)
            try connection.execute("PRAGMA user_version = \(version)")
        }
    }

    /// Refuses a file that is no journal of this version; for readers.
    static func check(_ connection: SQLConnection) throws(SQLError) {
        if try found(connection) == 0 {
            throw .damaged("the file holds no journal")
        }
    }

    private static func found(_ connection: SQLConnection) throws(SQLError) -> Int64 {
        let found = try connection.integer("PRAGMA user_version") ?? 0
        if found > version {
            throw SQLError(
                code: .readOnly, rawCode: 0,
                message: "the journal has version \(found), this program knows \(version);"
                    + " run the newer program")
        }
        return found
    }

    /// Finds a flipped bit that SQLite, which has no page checksums, would hand over as data.
    /// The keys are constants: this guards against accidents, not against people.
    static func checksum(
        offset: Int64, appendedAt: Int64, headers: RawSpan, value: RawSpan
    ) -> Int64 {
        let hash = KeyHash(
            k0: UInt64(bitPattern: offset), k1: UInt64(bitPattern: appendedAt)
        ).hash(headers, value)
        return Int64(bitPattern: hash)
    }
}
