/// A few connections that read one file, each from its own snapshot, so that reads never wait for
/// whoever writes. A read waits while all are busy.
package final class SQLReaders: Sendable {
    private struct Pool {
        var idle: [SQLConnection]
        var isClosed = false
    }

    private let pool: Monitor<Pool>

    /// - Parameter open: opens one of them.
    package init(count: Int, open: () throws(SQLError) -> sending SQLConnection) throws(SQLError) {
        var connections: [SQLConnection] = []
        for _ in 0..<Swift.max(1, count) { connections.append(try open()) }
        pool = Monitor(Pool(idle: connections))
    }

    /// Runs `body` on a free connection; nil once the pool is closed.
    package func read<Result>(
        _ body: (SQLConnection) throws(SQLError) -> Result
    ) throws(SQLError) -> Result? {
        let taken = pool.wait { pool in
            pool.isClosed ? .some(nil) : pool.idle.popLast().map(Optional.some)
        }
        guard let connection = taken ?? nil else { return nil }
        defer { giveBack(connection) }
        return try body(connection)
    }

    private func giveBack(_ connection: SQLConnection) {
        pool.withLock { pool in
            if pool.isClosed { connection.close() } else { pool.idle.append(connection) }
        }
        pool.wakeAll()
    }

    /// Frees the idle ones now and the others when their reads end; idempotent.
    package func close() {
        let idle = pool.withLock { pool in
            pool.isClosed = true
            let idle = pool.idle
            pool.idle = []
            return idle
        }
        pool.wakeAll()
        for connection in idle { connection.close() }
    }
}
