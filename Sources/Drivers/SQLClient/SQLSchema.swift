/// A database's tables, as a list of migrations: the schema's version is how many of them have run.
///
/// A migration that has been released is never edited; a change is a new one at the end.
package struct SQLSchema: Sendable {
    /// For messages: `the ledger`.
    private let name: String
    /// Each a list of statements.
    private let migrations: [[String]]

    package init(name: String, migrations: [[String]]) {
        self.name = name
        self.migrations = migrations
    }

    package var version: Int64 { Int64(migrations.count) }

    /// Brings the database to this version, in one transaction.
    /// - Throws: `.readOnly` when a newer version wrote it.
    package func migrate(_ connection: SQLConnection) throws(SQLError) {
        try connection.transaction { () throws(SQLError) in
            try connection.execute(
                "CREATE TABLE IF NOT EXISTS schema_version"
                    + " (version \(SQLType.integer) NOT NULL) \(SQLType.strict)")
            let stored = try connection.integer("SELECT version FROM schema_version")
            let found = stored ?? 0
            try refuseNewer(found)
            for migration in migrations.dropFirst(Int(found)) {
                for statement in migration { try connection.execute(statement) }
            }
            if stored == nil {
                try connection.execute("INSERT INTO schema_version (version) VALUES (\(version))")
            } else if found < version {
                try connection.execute("UPDATE schema_version SET version = \(version)")
            }
        }
    }

    /// Refuses a database of another version; for connections that must not change it.
    package func check(_ connection: SQLConnection) throws(SQLError) {
        let found = try connection.integer("SELECT version FROM schema_version") ?? 0
        try refuseNewer(found)
        if found < version {
            throw SQLError(
                code: .readOnly, rawCode: 0,
                message: "\(name) has schema version \(found), this program needs \(version);"
                    + " start the service once to migrate it")
        }
    }

    private func refuseNewer(_ found: Int64) throws(SQLError) {
        if found > version {
            throw SQLError(
                code: .readOnly, rawCode: 0,
                message: "\(name) has schema version \(found), this program knows \(version);"
                    + " run the newer program")
        }
    }
}
