import MeteringModel
package import MeteringPorts
import SQLClient

extension SQLCatalog {
    /// `from` is part of the range, `to` is not.
    package func changes(
        _ filter: AuditFilter, after sequence: Int64, limit: Int
    ) throws(ControlStoreError) -> [AuditRow] {
        var texts: [(column: String, value: String)] = []
        if let kind = filter.kind { texts.append(("kind", kind.rawValue)) }
        if let id = filter.id { texts.append(("id", id)) }
        if let customer = filter.customer { texts.append(("customer", customer.rawValue)) }
        if let actor = filter.actor { texts.append(("actor", actor)) }
        if let request = filter.requestID { texts.append(("request_id", request)) }
        return try store.read { (connection) throws(SQLError) in
            var conditions = ["seq > $1", "at >= $2", "at < $3"]
            for (index, text) in texts.enumerated() {
                conditions.append("\(text.column) = $\(index + 4)")
            }
            // Rows are nearly in the order of time: the first one in the range is where to begin.
            if filter.from != nil {
                conditions.append("seq >= (SELECT min(seq) FROM changes WHERE at >= $2)")
            }
            let query = try connection.statement(
                """
                SELECT previous_hash, hash, document FROM changes
                WHERE \(conditions.joined(separator: " AND "))
                ORDER BY seq LIMIT $\(texts.count + 4)
                """)
            try query.bind(sequence, at: 1)
            try query.bind(filter.from?.microseconds ?? .min, at: 2)
            try query.bind(filter.to?.microseconds ?? .max, at: 3)
            for (index, text) in texts.enumerated() {
                try query.bind(text.value, at: Int32(index + 4))
            }
            try query.bind(Int64(max(0, limit)), at: Int32(texts.count + 4))
            return try query.rows { (row) throws(SQLError) in
                guard let change = ControlChange(document: try row.json(at: 2)) else {
                    throw .damaged("a row of the audit log is no change")
                }
                return AuditRow(
                    change: change, previousHash: row.bytes(at: 0), hash: row.bytes(at: 1))
            }
        }
    }

    package func verifyChain() throws(ControlStoreError) -> ChainVerdict {
        try store.read { (connection) throws(SQLError) in
            try ChainVerifier(connection: connection).verdict { _, _ in }
        }
    }

    /// The same for a file, beside a running service or without one: takes no lock and writes
    /// nothing.
    /// - Parameter row: sees the sequence and hash of every intact row, for comparing with a head
    ///   that was kept elsewhere.
    package static func verify(
        path: String, row: (Int64, [UInt8]) -> Void = { _, _ in }
    ) throws(ControlStoreError) -> ChainVerdict {
        do throws(SQLError) {
            let connection = try file(path).openReader()
            defer { connection.close() }
            return try ChainVerifier(connection: connection).verdict(row: row)
        } catch {
            throw ControlStoreError(error)
        }
    }
}
