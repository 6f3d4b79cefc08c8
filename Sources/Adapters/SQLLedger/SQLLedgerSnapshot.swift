package import MeteringPorts
import SQLClient

extension SQLLedger: LedgerSnapshots {
    package func makeSnapshot() throws(LedgerError) -> any LedgerSnapshot {
        SQLLedgerSnapshot(reader: try SQLLedger(readingAlong: self))
    }
}

/// One state of the ledger, held by a read transaction on a connection of its own.
///
/// Readers hold nobody up. But pages written after a state that is held stay in the write-ahead
/// log, which grows by what is committed until it is let go.
private final class SQLLedgerSnapshot: LedgerSnapshot {
    private let reader: SQLLedger

    /// - Parameter reader: has one connection.
    init(reader: SQLLedger) { self.reader = reader }

    var queries: any LedgerQueries { reader }

    func hold() throws(LedgerError) {
        try reader.store.read { (connection) throws(SQLError) in try connection.holdState() }
    }

    func letGo() {
        // A connection that was closed holds nothing.
        try? reader.store.read { (connection) throws(SQLError) in connection.letGoOfState() }
    }

    deinit { reader.close() }
}
