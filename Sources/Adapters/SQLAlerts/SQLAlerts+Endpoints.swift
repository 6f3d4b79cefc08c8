package import MeteringModel
package import MeteringPorts
import SQLClient

// What belongs to endpoints beside their lines: states, secrets, hidden addresses.
extension SQLAlerts {
    package func state(of endpoint: String) throws(LedgerError) -> EndpointState {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT \(EndpointState.columns) FROM endpoint_states AS s WHERE s.endpoint = $1
                """)
            try query.bind(endpoint, at: 1)
            return try query.rows { EndpointState(row: $0) }.first ?? EndpointState()
        }
    }

    package func setState(
        _ endpoint: String, _ state: EndpointState
    ) throws(LedgerError) {
        try store.write { (connection) throws(SQLError) in
            try Self.put(endpoint, state, connection)
        }
    }

    package func secrets(of endpoint: String) throws(LedgerError) -> [SealedSecret] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT sealed, created_at, expires_at FROM secrets
                WHERE endpoint = $1 ORDER BY sequence DESC
                """)
            try query.bind(endpoint, at: 1)
            return try query.rows {
                SealedSecret(
                    sealed: $0.bytes(at: 0), createdAt: $0.timestamp(at: 1),
                    expiresAt: $0.optionalTimestamp(at: 2))
            }
        }
    }

    package func addSecret(
        _ endpoint: String, _ secret: SealedSecret, othersUntil until: Timestamp
    ) throws(LedgerError) {
        try store.write { (connection) throws(SQLError) in
            // Only the one that was the newest so far signs on: a secret rotated twice because it
            // leaked must not live on as the third.
            let drop = try connection.statement(
                "DELETE FROM secrets WHERE endpoint = $1 AND expires_at IS NOT NULL")
            try drop.bind(endpoint, at: 1)
            try drop.run()
            let expire = try connection.statement(
                "UPDATE secrets SET expires_at = $1 WHERE endpoint = $2")
            try expire.bind(until.microseconds, at: 1)
            try expire.bind(endpoint, at: 2)
            try expire.run()
            let insert = try connection.statement(
                """
                INSERT INTO secrets (endpoint, sealed, created_at, expires_at)
                VALUES ($1, $2, $3, $4)
                """)
            try insert.bind(endpoint, at: 1)
            try insert.bind(secret.sealed, at: 2)
            try insert.bind(secret.createdAt.microseconds, at: 3)
            try insert.bind(secret.expiresAt, at: 4)
            try insert.run()
        }
    }

    package func sealedAddress(_ reference: String) throws(LedgerError) -> [UInt8]? {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                "SELECT sealed FROM addresses WHERE reference = $1")
            try query.bind(reference, at: 1)
            return try query.rows { $0.bytes(at: 0) }.first
        }
    }

    package func putSealedAddress(
        _ reference: String, _ sealed: [UInt8]
    ) throws(LedgerError) {
        try store.write { (connection) throws(SQLError) in
            let upsert = try connection.statement(
                "INSERT OR REPLACE INTO addresses (reference, sealed) VALUES ($1, $2)")
            try upsert.bind(reference, at: 1)
            try upsert.bind(sealed, at: 2)
            try upsert.run()
        }
    }
}
