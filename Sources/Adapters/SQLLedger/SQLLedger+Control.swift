package import MeteringModel
package import MeteringPorts
import SQLClient

extension SQLLedger: LedgerControl {
    package func markRedriven(_ sequences: [Int64]) throws(LedgerError) {
        try write { (connection) throws(SQLError) in
            try Self.forEach(
                sequences, "UPDATE set_aside SET redriven = 1 WHERE sequence = $1", connection)
        }
    }

    package func markDelivered(_ sequences: [Int64]) throws(LedgerError) {
        try write { (connection) throws(SQLError) in
            try Self.forEach(
                sequences, "UPDATE crossings SET delivered = 1 WHERE sequence = $1", connection)
        }
    }

    /// The first resolution stays.
    package func resolveCrossings(_ ids: [String], at: Timestamp) throws(LedgerError) {
        try write { (connection) throws(SQLError) in
            let update = try connection.statement(
                "UPDATE crossings SET resolved_at = $1 WHERE id = $2 AND resolved_at IS NULL")
            for id in ids {
                try update.bind(at.microseconds, at: 1)
                try update.bind(id, at: 2)
                try update.run()
            }
        }
    }

    package func recordCrossings(_ crossings: [Crossing]) throws(LedgerError) {
        try write { (connection) throws(SQLError) in
            let insert = try connection.statement(insertCrossing)
            let reopen = try connection.statement(
                "UPDATE crossings SET resolved_at = NULL WHERE id = $1")
            for crossing in crossings {
                try insert.bind(crossing: crossing)
                let isNew = try insert.step()
                try insert.run()
                if isNew { continue }
                try reopen.bind(crossing.id, at: 1)
                try reopen.run()
            }
        }
    }

    package func undeliveredCrossings(limit: Int) throws(LedgerError) -> [StoredCrossing] {
        try read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT \(StoredCrossing.columns) FROM crossings
                WHERE delivered = 0 ORDER BY sequence LIMIT $1
                """)
            try query.bind(Int64(max(0, limit)), at: 1)
            return try query.rows { StoredCrossing(row: $0) }
        }
    }

    package func latestCatalog() throws(LedgerError) -> (revision: Int64, document: String)? {
        try read { (connection) throws(SQLError) in
            let query = try connection.statement(latestCatalogText)
            return try query.rows { ($0.integer(at: 0), $0.string(at: 1)) }.first
        }
    }

    /// A document equal to the latest one keeps its revision.
    package func saveCatalog(_ document: String, at: Timestamp) throws(LedgerError) -> Int64 {
        try write { (connection) throws(SQLError) in
            let query = try connection.statement(latestCatalogText)
            let latest = try query.rows { ($0.integer(at: 0), $0.string(at: 1)) }.first
            if let latest, latest.1 == document { return latest.0 }
            let insert = try connection.statement(
                """
                INSERT INTO catalogs (document, applied_at) VALUES ($1, $2) RETURNING revision
                """)
            try insert.bind(document, at: 1)
            try insert.bind(at.microseconds, at: 2)
            return try insert.rows { $0.integer(at: 0) }.first ?? 0
        }
    }

    package func planVersion(_ plan: PlanKey, digest: String) throws(LedgerError) -> Int {
        try write { (connection) throws(SQLError) in
            let known = try connection.statement(
                "SELECT version FROM plan_versions WHERE plan = $1 AND digest = $2")
            try known.bind(plan.rawValue, at: 1)
            try known.bind(digest, at: 2)
            if let version = try known.rows({ $0.integer(at: 0) }).first { return Int(version) }
            let insert = try connection.statement(
                """
                INSERT INTO plan_versions (plan, version, digest)
                SELECT $1, coalesce(max(version), 0) + 1, $2 FROM plan_versions WHERE plan = $1
                RETURNING version
                """)
            try insert.bind(plan.rawValue, at: 1)
            try insert.bind(digest, at: 2)
            return Int(try insert.rows { $0.integer(at: 0) }.first ?? 0)
        }
    }

    package func installationSecret(
        _ name: String, make: () -> [UInt8]
    ) throws(LedgerError) -> [UInt8] {
        try write { (connection) throws(SQLError) in
            let known = try connection.statement("SELECT value FROM secrets WHERE name = $1")
            try known.bind(name, at: 1)
            if let value = try known.rows({ $0.bytes(at: 0) }).first { return value }
            let made = make()
            let insert = try connection.statement(
                "INSERT INTO secrets (name, value) VALUES ($1, $2)")
            try insert.bind(name, at: 1)
            try insert.bind(made, at: 2)
            try insert.run()
            return made
        }
    }

    private static func forEach(
        _ sequences: [Int64], _ sql: String, _ connection: SQLConnection
    ) throws(SQLError) {
        let statement = try connection.statement(sql)
        for sequence in sequences {
            try statement.bind(sequence, at: 1)
            try statement.run()
        }
    }
}

extension SQLStatement {
    /// All rows, each made into a value; the statement is reset afterwards.
    func rows<Row>(_ make: (SQLStatement) -> Row) throws(SQLError) -> [Row] {
        defer { reset() }
        var rows: [Row] = []
        while try step() { rows.append(make(self)) }
        return rows
    }
}

private let latestCatalogText = """
    SELECT revision, document FROM catalogs ORDER BY revision DESC LIMIT 1
    """
