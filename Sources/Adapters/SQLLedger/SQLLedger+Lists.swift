package import MeteringModel
package import MeteringPorts
import SQLClient

// The lists of LedgerQueries. (The protocol is adopted in `SQLLedger+Queries.swift`.)

extension SQLLedger {
    package func crossings(
        customer: CustomerID?, since: Timestamp?, after sequence: Int64, limit: Int
    ) throws(LedgerError) -> [StoredCrossing] {
        try store.read { (connection) throws(SQLError) in
            let only = customer == nil ? "" : "AND customer = $3"
            let query = try connection.statement(
                """
                SELECT \(StoredCrossing.columns) FROM crossings
                WHERE sequence > $1 AND crossed_at >= $2 \(only) ORDER BY sequence
                LIMIT \(customer == nil ? "$3" : "$4")
                """)
            try query.bind(sequence, at: 1)
            try query.bind((since ?? .distantPast).microseconds, at: 2)
            if let customer { try query.bind(customer.rawValue, at: 3) }
            try query.bind(Int64(max(0, limit)), at: customer == nil ? 3 : 4)
            return try query.rows { StoredCrossing(row: $0) }
        }
    }

    package func setAside(
        kind: SetAsideEvent.Kind?, after sequence: Int64, limit: Int
    ) throws(LedgerError) -> [StoredSetAside] {
        try store.read { (connection) throws(SQLError) in
            let only = kind == nil ? "" : "AND kind = $2"
            let query = try connection.statement(
                """
                SELECT \(StoredSetAside.columns) FROM set_aside
                WHERE redriven = 0 AND sequence > $1 \(only) ORDER BY sequence
                LIMIT \(kind == nil ? "$2" : "$3")
                """)
            try query.bind(sequence, at: 1)
            if let kind { try query.bind(kind.rawValue, at: 2) }
            try query.bind(Int64(max(0, limit)), at: kind == nil ? 2 : 3)
            return try query.rows { StoredSetAside(row: $0) }
        }
    }

    /// Events not yet re-driven, by reason.
    package func setAsideCounts() throws(LedgerError) -> [String: Int64] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                "SELECT reason, count(*) FROM set_aside WHERE redriven = 0 GROUP BY reason")
            let rows = try query.rows { ($0.string(at: 0), $0.integer(at: 1)) }
            return Dictionary(rows, uniquingKeysWith: +)
        }
    }

    package func openReservations() throws(LedgerError) -> [Reservation] {
        try store.read { (connection) throws(SQLError) in
            try connection.statement(
                """
                SELECT \(Reservation.columns) FROM reservations
                WHERE state = 'open' ORDER BY expires_at
                """
            ).rows { Reservation(row: $0) }
        }
    }

    package func reservation(_ id: String) throws(LedgerError) -> Reservation? {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                "SELECT \(Reservation.columns) FROM reservations WHERE id = $1")
            try query.bind(id, at: 1)
            return try query.rows { Reservation(row: $0) }.first
        }
    }

    package func admissions(since: Timestamp) throws(LedgerError) -> [AdmissionRecord] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT \(AdmissionRecord.columns) FROM admissions
                WHERE admitted_at >= $1 ORDER BY admitted_at
                """)
            try query.bind(since.microseconds, at: 1)
            return try query.rows { AdmissionRecord(row: $0) }
        }
    }

    package func admissions(
        of customer: CustomerID, since: Timestamp
    ) throws(LedgerError) -> [AdmissionRecord] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT \(AdmissionRecord.columns) FROM admissions
                WHERE customer = $1 AND admitted_at >= $2 ORDER BY admitted_at, id
                """)
            try query.bind(customer.rawValue, at: 1)
            try query.bind(since.microseconds, at: 2)
            return try query.rows { AdmissionRecord(row: $0) }
        }
    }

    package func adjustments(customer: CustomerID?) throws(LedgerError) -> [Adjustment] {
        try store.read { (connection) throws(SQLError) in
            let only = customer == nil ? "" : "WHERE customer = $1"
            let query = try connection.statement(
                "SELECT \(Adjustment.columns) FROM adjustments \(only) ORDER BY sequence")
            if let customer { try query.bind(customer.rawValue, at: 1) }
            return try query.rows { Adjustment(row: $0) }
        }
    }

    package func crossings(
        of customer: CustomerID, periodsEndingAfter instant: Timestamp
    ) throws(LedgerError) -> [StoredCrossing] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT \(StoredCrossing.columns) FROM crossings
                WHERE customer = $1 AND period_end > $2 ORDER BY sequence
                """)
            try query.bind(customer.rawValue, at: 1)
            try query.bind(instant.microseconds, at: 2)
            return try query.rows { StoredCrossing(row: $0) }
        }
    }

    package func crossingChanges(
        after sequence: Int64, limit: Int
    ) throws(LedgerError) -> [CrossingChange] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(crossingChangesText)
            try query.bind(sequence, at: 1)
            try query.bind(Int64(max(0, limit)), at: 2)
            return try query.rows { CrossingChange(row: $0) }
        }
    }

    package func adjustments(
        after sequence: Int64, limit: Int
    ) throws(LedgerError) -> [(sequence: Int64, adjustment: Adjustment)] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT \(Adjustment.columns), sequence FROM adjustments
                WHERE sequence > $1 ORDER BY sequence LIMIT $2
                """)
            try query.bind(sequence, at: 1)
            try query.bind(Int64(max(0, limit)), at: 2)
            return try query.rows {
                ($0.integer(at: Adjustment.columnCount), Adjustment(row: $0))
            }
        }
    }

    /// The start of the earliest hour with usage: all usage is in a rollup of its hour.
    package func usageBegins() throws(LedgerError) -> Timestamp? {
        try store.read { (connection) throws(SQLError) in
            // Hours may be gone by now; months never are.
            let areHoursKept = try Self.mark(.hoursFrom, connection) == nil
            let query = try connection.statement(
                "SELECT min(window_start) FROM rollups WHERE rollup_window = $1")
            try query.bind((areHoursKept ? RollupWindow.hour : .month).rawValue, at: 1)
            return try query.rows { $0.optionalTimestamp(at: 0) }.first ?? nil
        }
    }
}

private let crossingChangesText = """
    SELECT \(StoredCrossing.columns), change_sequence, change_kind, ordinal, changed_at
    FROM (
        SELECT sequence AS change_sequence, crossing, kind AS change_kind, ordinal, changed_at
        FROM crossing_changes WHERE sequence > $1 ORDER BY sequence LIMIT $2
    ) JOIN crossings ON crossings.sequence = crossing
    ORDER BY change_sequence
    """
