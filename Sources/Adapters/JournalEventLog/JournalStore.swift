import MeteringModel
import MeteringPorts
import SQLClient

/// The journal's table and its writing connection. Used from the journal's thread alone.
final class JournalStore {
    let path: String
    /// Offset that the next record gets.
    private(set) var nextOffset: Int64 = 0

    private let connection: SQLConnection
    private let clock: WallClock
    private let lock: DirectoryLock
    private var lastAppendedAt = Timestamp.distantPast

    /// Bytes of a row besides key, headers and value, about.
    private static let rowBytes = 32

    init(
        path: String, options: EventJournal.Options, clock: WallClock
    ) throws(SQLError) {
        self.path = path
        self.clock = clock
        lock = try DirectoryLock(besides: path, file: "journal.lock")
        // FULL: a commit that has returned survives a power failure.
        var settings = SQLConnection.Options(synchronous: .full)
        settings.pageBytes = 8_192
        settings.cacheKibibytes = 16_384
        settings.databaseBytesMax = options.databaseBytesMax
        connection = try SQLConnection(path: path, options: settings)
        try JournalSchema.create(connection)
        let newest = try connection.statement(
            "SELECT offset, appended_at FROM journal ORDER BY offset DESC LIMIT 1")
        if try newest.step() {
            nextOffset = newest.integer(at: 0) + 1
            lastAppendedAt = Timestamp(microseconds: newest.integer(at: 1))
        }
        newest.reset()
    }

    func close() { connection.close() }

    static func size(of record: LogAppend) -> Int {
        record.key.utf8.count + record.headers.count + record.value.count + rowBytes
    }

    /// Writes all of it in one transaction; nothing when it throws.
    /// - Returns: the offset of the first record.
    func append(_ groups: [[LogAppend]]) throws(SQLError) -> Int64 {
        let first = nextOffset
        // Never back, whatever the clock does: readers take this time as their watermark.
        let appendedAt = max(lastAppendedAt, clock.now())
        var offset = first
        try connection.transaction { () throws(SQLError) in
            let insert = try connection.statement(
                """
                INSERT INTO journal (offset, appended_at, key, headers, value, checksum)
                VALUES ($1, $2, $3, $4, $5, $6)
                """)
            for records in groups {
                for record in records {
                    try insert.bind(offset, at: 1)
                    try insert.bind(appendedAt.microseconds, at: 2)
                    try insert.bind(record.key, at: 3)
                    try insert.bind(record.headers, at: 4)
                    try insert.bind(record.value, at: 5)
                    let checksum = record.headers.withRawSpan { headers in
                        record.value.withRawSpan { value in
                            JournalSchema.checksum(
                                offset: offset, appendedAt: appendedAt.microseconds,
                                headers: headers, value: value)
                        }
                    }
                    try insert.bind(checksum, at: 6)
                    try insert.run()
                    offset += 1
                }
            }
        }
        nextOffset = offset
        lastAppendedAt = appendedAt
        return first
    }

    /// Drops at most `count` of the oldest records.
    /// - Returns: true when none before `offset` is left, the newest aside.
    func dropRecords(before offset: Int64, atMost count: Int64) throws(SQLError) -> Bool {
        let end = min(offset, nextOffset - 1)
        guard let oldest = try connection.integer("SELECT min(offset) FROM journal"), oldest < end
        else { return true }
        let stop = min(end, oldest + count)
        try connection.transaction { () throws(SQLError) in
            let delete = try connection.statement("DELETE FROM journal WHERE offset < $1")
            try delete.bind(stop, at: 1)
            try delete.run()
        }
        return stop == end
    }
}
