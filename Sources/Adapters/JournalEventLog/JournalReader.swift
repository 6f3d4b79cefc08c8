import MeteringModel
package import MeteringPorts
import SQLClient

/// Reads the journal in order, on a connection of its own.
///
/// One made by `EventJournal.makeReader` sleeps until the journal has more; one made from a path
/// stands alone, also in another process, and looks again every few milliseconds.
package final class JournalReader: EventLogReader {
    /// Kept alive until `close`.
    package var assignmentDelegate: (any PartitionAssignmentDelegate)?

    private static let partition: Int32 = 0
    /// How often a reader without a journal in its process looks for more.
    private static let lookMilliseconds = 20
    /// Records that one query of `replay` reads, so that no snapshot stays open for long.
    private static let replayStep: Int64 = 1_000

    private let path: String
    private let tail: JournalTail?
    private let connection: SQLConnection
    /// The offset to read next; nil until assigned.
    private var nextOffset: Int64?
    private var isClosed = false

    /// A reader that stands alone; its poll starts at offset 0 unless a delegate says otherwise.
    package convenience init(path: String) throws(EventLogError) {
        try self.init(path: path, tail: nil)
    }

    init(path: String, tail: JournalTail?) throws(EventLogError) {
        self.path = path
        self.tail = tail
        do {
            connection = try SQLConnection(
                path: path, options: SQLConnection.Options(synchronous: .full, isReadOnly: true))
            try JournalSchema.check(connection)
        } catch {
            throw EventLogError(error, path: path)
        }
    }

    package func poll(
        maxRecords: Int, timeoutMilliseconds: Int,
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
    ) throws(EventLogError) -> Int {
        if isClosed { throw .journalClosed }
        let first = try assignedOffset()
        waitForRecord(at: first, timeoutMilliseconds: timeoutMilliseconds)
        let next = try read(from: first, limit: Int64(max(0, maxRecords)), body)
        nextOffset = next
        return Int(next - first)
    }

    /// Hands every record from `offset` up to the present end to `body`, however long it takes.
    /// Independent of `poll` and its position; the delegate is not asked.
    /// - Returns: the offset after the last record handed over.
    @discardableResult
    package func replay(
        from offset: Int64, _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
    ) throws(EventLogError) -> Int64 {
        if isClosed { throw .journalClosed }
        let end = try bounds().upperBound
        try checkOffset(offset)
        var next = offset
        while next < end {
            next = try read(from: next, limit: min(Self.replayStep, end - next), body)
        }
        return next
    }

    /// The same, until `body` returns false.
    package func scan(
        from offset: Int64,
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Bool
    ) throws(EventLogError) {
        if isClosed { throw .journalClosed }
        let end = try bounds().upperBound
        try checkOffset(offset)
        var next = offset
        var isWanted = true
        // Whoever wants one record does not pay for a thousand.
        var step: Int64 = 1
        while isWanted, next < end {
            next = try read(from: next, limit: min(step, end - next)) { info, headers, value in
                if isWanted { isWanted = body(info, headers, value) }
            }
            step = min(step * 8, Self.replayStep)
        }
    }

    /// Nobody but this reader reads the journal by position, so there is nothing to tell.
    package func commitInformational(_ nextOffsets: [Int32: Int64]) {}

    package func endOffsets() throws(EventLogError) -> [Int32: Int64] {
        if isClosed { throw .journalClosed }
        if let tail { return [Self.partition: tail.endOffset] }
        return [Self.partition: try bounds().upperBound]
    }

    package func close() {
        if isClosed { return }
        isClosed = true
        if nextOffset != nil {
            assignmentDelegate?.partitionsRevoked([Self.partition], isLost: false)
        }
        nextOffset = nil
        assignmentDelegate = nil
        connection.close()
    }

    // MARK: position

    /// The position of the last poll; at the first one, what the delegate says.
    private func assignedOffset() throws(EventLogError) -> Int64 {
        if let nextOffset { return nextOffset }
        var first: Int64 = 0
        if let assignmentDelegate {
            let answer = try assignmentDelegate.partitionsAssigned([Self.partition])
            first = answer[Self.partition] ?? 0
        }
        try checkOffset(first)
        nextOffset = first
        return first
    }

    private func checkOffset(_ offset: Int64) throws(EventLogError) {
        let kept = try bounds()
        if offset < kept.lowerBound || offset > kept.upperBound {
            throw .outOfRange(offset, kept: kept)
        }
    }

    /// From the first record kept to the end.
    private func bounds() throws(EventLogError) -> Range<Int64> {
        do {
            // Two look-ups; both in one SELECT would make SQLite scan the table.
            let query = try connection.statement(
                """
                SELECT (SELECT min(offset) FROM journal), (SELECT max(offset) FROM journal)
                """)
            defer { query.reset() }
            guard try query.step(), !query.isNull(at: 0) else { return 0..<0 }
            return query.integer(at: 0)..<query.integer(at: 1) + 1
        } catch {
            throw EventLogError(error, path: path)
        }
    }

    private func waitForRecord(at offset: Int64, timeoutMilliseconds: Int) {
        if let tail {
            tail.wait(beyond: offset, timeoutMilliseconds: timeoutMilliseconds)
            return
        }
        // Nobody wakes this one, so that it only lets time pass.
        let pause = JournalTail(endOffset: 0)
        var left = timeoutMilliseconds
        while left > 0, let kept = try? bounds(), kept.upperBound <= offset {
            pause.wait(beyond: 0, timeoutMilliseconds: min(left, Self.lookMilliseconds))
            left -= Self.lookMilliseconds
        }
    }

    // MARK: records

    /// - Returns: the offset after the last record handed over.
    private func read(
        from offset: Int64, limit: Int64,
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
    ) throws(EventLogError) -> Int64 {
        var next = offset
        var isWhole = true
        do {
            let query = try connection.statement(
                """
                SELECT offset, appended_at, checksum, headers, value FROM journal
                WHERE offset >= $1 ORDER BY offset LIMIT $2
                """)
            defer { query.reset() }
            try query.bind(offset, at: 1)
            try query.bind(limit, at: 2)
            while isWhole, try query.step() {
                isWhole = query.integer(at: 0) == next && Self.handOver(query, offset: next, body)
                if isWhole { next += 1 }
            }
        } catch {
            throw EventLogError(error, path: path)
        }
        if !isWhole { throw try damage(at: next) }
        return next
    }

    /// - Returns: false when the checksum does not agree; the record is not handed over then.
    private static func handOver(
        _ row: SQLStatement, offset: Int64, _ body: (LogRecordInfo, RawSpan, RawSpan) -> Void
    ) -> Bool {
        let appendedAt = row.integer(at: 1)
        let stored = row.integer(at: 2)
        return row.withBytes(at: 3) { headers in
            row.withBytes(at: 4) { value in
                let checksum = JournalSchema.checksum(
                    offset: offset, appendedAt: appendedAt, headers: headers, value: value)
                if checksum != stored { return false }
                let info = LogRecordInfo(
                    partition: partition, offset: offset,
                    appendedAt: Timestamp(microseconds: appendedAt), isNull: false)
                body(info, headers, value)
                return true
            }
        }
    }

    /// Why the record at `offset` cannot be read: dropped meanwhile, missing or damaged.
    private func damage(at offset: Int64) throws(EventLogError) -> EventLogError {
        let kept = try bounds()
        if offset < kept.lowerBound { return .outOfRange(offset, kept: kept) }
        return EventLogError(
            code: .corrupt,
            message: "the journal's record \(offset) is missing or damaged: restore \(path) from"
                + " a copy; nothing after it has been read")
    }
}
