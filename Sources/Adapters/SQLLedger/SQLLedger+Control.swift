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

    package func resolveCrossings(_ ids: [String], at: Timestamp) throws(LedgerError) {
        try write { (connection) throws(SQLError) in
            try LedgerWriter(connection: connection).resolveCrossings(ids, at: at)
        }
    }

    package func recordCrossings(_ crossings: [Crossing]) throws(LedgerError) {
        try write { (connection) throws(SQLError) in
            try LedgerWriter(connection: connection).recordCrossings(crossings)
        }
    }

    package func restate(_ restatement: LedgerRestatement) throws(LedgerError) {
        if restatement.isEmpty { return }
        try write { (connection) throws(SQLError) in
            let writer = LedgerWriter(connection: connection)
            try writer.replaceUsage(restatement.usage)
            try writer.replaceRollups(restatement.recutHours)
            try writer.replaceRollups(restatement.rollups)
            try writer.settle(restatement.settled)
            try writer.addAdjustments(restatement.adjustments)
            try writer.resolveCrossings(restatement.resolved, at: restatement.at)
            try writer.recordCrossings(restatement.crossings)
        }
    }

    package func undeliveredCrossings(limit: Int) throws(LedgerError) -> [StoredCrossing] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT \(StoredCrossing.columns) FROM crossings
                WHERE delivered = 0 ORDER BY sequence LIMIT $1
                """)
            try query.bind(Int64(max(0, limit)), at: 1)
            return try query.rows { StoredCrossing(row: $0) }
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
