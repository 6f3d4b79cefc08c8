package import MeteringModel
package import MeteringPorts
import SQLClient

// Single events and their corrections. (The protocol is adopted with LedgerQueries.)
extension SQLLedger {
    /// Goes through the marks, newest block first: 16 bytes for each event of the dedupe window.
    package func position(ofEvent fingerprint: UInt64) throws(LedgerError) -> LogPosition? {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                "SELECT partition, marks FROM dedupe_blocks ORDER BY sequence DESC")
            defer { query.reset() }
            while try query.step() {
                var found: Int64?
                _ = query.withBytes(at: 1) { bytes in
                    DedupeBlock.decode(bytes) { mark in
                        if mark.fingerprint == fingerprint { found = mark.place }
                    }
                }
                guard let found else { continue }
                return LogPosition(
                    partition: Int32(truncatingIfNeeded: query.integer(at: 0)), offset: found)
            }
            return nil
        }
    }

    package func countedOffsets(
        partition: Int32, in range: Range<Int64>
    ) throws(LedgerError) -> Set<Int64>? {
        try store.read { (connection) throws(SQLError) in
            let first = try connection.statement(
                "SELECT min(first_offset) FROM dedupe_blocks WHERE partition = $1")
            try first.bind(Int64(partition), at: 1)
            let kept = try first.rows { $0.optionalInteger(at: 0) }.first ?? nil
            guard let kept, kept <= range.lowerBound else { return nil }
            let query = try connection.statement(
                """
                SELECT marks FROM dedupe_blocks
                WHERE partition = $1 AND first_offset < $2 AND next_offset > $3
                """)
            defer { query.reset() }
            try query.bind(Int64(partition), at: 1)
            try query.bind(range.upperBound, at: 2)
            try query.bind(range.lowerBound, at: 3)
            var offsets: Set<Int64> = []
            while try query.step() {
                _ = query.withBytes(at: 0) { bytes in
                    DedupeBlock.decode(bytes) { mark in
                        if range.contains(mark.place) { offsets.insert(mark.place) }
                    }
                }
            }
            return offsets
        }
    }

    package func firstOffsets(
        appendedSince instant: Timestamp
    ) throws(LedgerError) -> [Int32: Int64] {
        try store.read { (connection) throws(SQLError) in
            // A block's time is that of its last record, so the last block before the instant
            // ends where nothing later can have been appended yet.
            let query = try connection.statement(
                """
                SELECT partition, max(next_offset) FROM dedupe_blocks WHERE appended_at < $1
                GROUP BY partition
                """)
            try query.bind(instant.microseconds, at: 1)
            let rows = try query.rows {
                (Int32(truncatingIfNeeded: $0.integer(at: 0)), $0.integer(at: 1))
            }
            return Dictionary(rows, uniquingKeysWith: max)
        }
    }

    package func correction(_ id: String) throws(LedgerError) -> CorrectionRecord? {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                "SELECT \(CorrectionRecord.columns) FROM corrections WHERE id = $1")
            try query.bind(id, at: 1)
            return try query.rows { CorrectionRecord(row: $0) }.first
        }
    }

    package func corrections(
        ofEvent id: String, source: String
    ) throws(LedgerError) -> [CorrectionRecord] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT \(CorrectionRecord.columns) FROM corrections
                WHERE event_id = $1 AND event_source = $2 ORDER BY number
                """)
            try query.bind(id, at: 1)
            try query.bind(source, at: 2)
            return try query.rows { CorrectionRecord(row: $0) }
        }
    }

    package func corrections(
        customer: CustomerID?, after sequence: Int64, limit: Int
    ) throws(LedgerError) -> [(sequence: Int64, record: CorrectionRecord)] {
        try store.read { (connection) throws(SQLError) in
            // SQLite numbers parameters as they appear.
            let only = customer == nil ? "" : "AND customer = $2"
            let query = try connection.statement(
                """
                SELECT \(CorrectionRecord.columns), sequence FROM corrections
                WHERE sequence > $1 \(only) ORDER BY sequence
                LIMIT \(customer == nil ? "$2" : "$3")
                """)
            try query.bind(sequence, at: 1)
            if let customer { try query.bind(customer.rawValue, at: 2) }
            try query.bind(Int64(max(0, limit)), at: customer == nil ? 2 : 3)
            return try query.rows {
                ($0.integer(at: CorrectionRecord.columnCount), CorrectionRecord(row: $0))
            }
        }
    }

    package func pendingCorrections(limit: Int) throws(LedgerError) -> [CorrectionRecord] {
        try store.read { (connection) throws(SQLError) in
            let query = try connection.statement(
                """
                SELECT \(CorrectionRecord.columns) FROM corrections
                WHERE pending = 1 ORDER BY sequence LIMIT $1
                """)
            try query.bind(Int64(max(0, limit)), at: 1)
            return try query.rows { CorrectionRecord(row: $0) }
        }
    }
}

extension DedupeMark {
    /// The offset without the bits of content above it (see DedupeIndex.mark).
    fileprivate var place: Int64 { offset & 0xffff_ffff_ffff }
}

extension CorrectionRecord {
    static let columns = """
        id, number, action, event_source, event_id, reason, actor, customer, event_partition,
        event_offset, removed_customer, removed_at, removed_event, added_customer, added_at,
        added_event, partition, record_offset, recorded_at, refusal
        """
    static let columnCount: Int32 = 20

    init(row: SQLStatement) {
        func content(_ column: Int32) -> EventContent? {
            if row.isNull(at: column) { return nil }
            return EventContent(
                customer: CustomerID(row.string(at: column)), at: row.timestamp(at: column + 1),
                json: row.string(at: column + 2))
        }
        func position(_ column: Int32) -> LogPosition {
            LogPosition(
                partition: Int32(truncatingIfNeeded: row.integer(at: column)),
                offset: row.integer(at: column + 1))
        }
        self.init(
            number: row.integer(at: 1),
            // The schema allows no other text.
            action: Action(rawValue: row.string(at: 2)) ?? .void, source: row.string(at: 3),
            eventID: row.string(at: 4), reason: row.string(at: 5), actor: row.string(at: 6),
            customer: CustomerID(row.string(at: 7)), event: position(8), removed: content(10),
            added: content(13), position: position(16), recordedAt: row.timestamp(at: 18),
            refusal: row.optionalString(at: 19))
    }
}

extension SQLStatement {
    /// Parameters 1 to `CorrectionRecord.columnCount`.
    func bind(correction record: CorrectionRecord) throws(SQLError) {
        try bind(record.id, at: 1)
        try bind(record.number, at: 2)
        try bind(record.action.rawValue, at: 3)
        try bind(record.source, at: 4)
        try bind(record.eventID, at: 5)
        try bind(record.reason, at: 6)
        try bind(record.actor, at: 7)
        try bind(record.customer.rawValue, at: 8)
        try bind(Int64(record.event.partition), at: 9)
        try bind(record.event.offset, at: 10)
        try bind(content: record.removed, from: 11)
        try bind(content: record.added, from: 14)
        try bind(Int64(record.position.partition), at: 17)
        try bind(record.position.offset, at: 18)
        try bind(record.recordedAt.microseconds, at: 19)
        try bind(optional: record.refusal, at: 20)
    }

    private func bind(content: EventContent?, from index: Int32) throws(SQLError) {
        try bind(optional: content?.customer.rawValue, at: index)
        try bind(content?.at.microseconds, at: index + 1)
        try bind(optional: content?.json, at: index + 2)
    }
}
