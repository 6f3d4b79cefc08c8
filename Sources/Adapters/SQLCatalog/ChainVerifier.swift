import MeteringModel
import MeteringPorts
import SQLClient

/// Holds the stored rows against what must have been written, in two sweeps over one snapshot:
/// the chain in its own order, then the records against what replaying the changes gives. At last
/// SQLite checks its own file.
/// Memory is that of one record, however long the log is.
struct ChainVerifier {
    let connection: SQLConnection

    /// - Throws: when the database itself fails. What it answers to that it is damaged is `.broken`.
    func verdict(row: (Int64, [UInt8]) -> Void) throws(SQLError) -> ChainVerdict {
        try connection.transaction(.deferred) { () throws(SQLError) in
            let (count, head, fault) = try chain(row)
            if let fault { return fault }
            if let fault = try records() { return fault }
            if let fault = try file() { return fault }
            return .intact(count: count, head: head)
        }
    }

    // MARK: the chain

    private func chain(
        _ row: (Int64, [UInt8]) -> Void
    ) throws(SQLError) -> (Int64, [UInt8], ChainVerdict?) {
        var count: Int64 = 0
        var head = AuditChain.origin
        do throws(SQLError) {
            let query = try connection.statement(
                """
                SELECT seq, previous_hash, hash, document, at, kind, id, customer, actor, request_id
                FROM changes ORDER BY seq
                """)
            defer { query.reset() }
            while try query.step() {
                let expected = count + 1
                let found = query.integer(at: 0)
                if found != expected {
                    let reason =
                        found > expected ? "the row is missing" : "there is a row numbered \(found)"
                    return (count, head, .broken(sequence: expected, reason: reason))
                }
                if let reason = fault(in: query, sequence: expected, after: head) {
                    return (count, head, .broken(sequence: expected, reason: reason))
                }
                head = query.bytes(at: 2)
                count = expected
                row(count, head)
            }
        } catch {
            guard error.code == .corrupt else { throw error }
            let fault = ChainVerdict.broken(
                sequence: count + 1, reason: "the file is damaged: \(error.message)")
            return (count, head, fault)
        }
        return (count, head, nil)
    }

    private func fault(in row: SQLStatement, sequence: Int64, after head: [UInt8]) -> String? {
        if row.bytes(at: 1) != head { return "it does not follow the row before it" }
        let document = row.bytes(at: 3)
        if row.bytes(at: 2) != AuditChain.link(head, document) {
            return "its hash is not that of its content"
        }
        guard let value = try? JSONParser.parse(document),
            let change = ControlChange(document: value)
        else { return "its document is no change" }
        if change.sequence != sequence { return "its document has another number" }
        if change.at.microseconds != row.integer(at: 4) {
            return "the column at is not what its document says"
        }
        let columns: [(name: String, text: String)] = [
            ("kind", change.kind.rawValue), ("id", change.id),
            ("customer", change.customer?.rawValue ?? ""), ("actor", change.actor),
            ("request_id", change.requestID),
        ]
        for (index, column) in columns.enumerated() {
            if !row.holds(column.text, at: Int32(index) + 5) {
                return "the column \(column.name) is not what its document says"
            }
        }
        return nil
    }

    /// What neither sweep has read: the indexes that filters use. Sequence 0 is the file itself.
    private func file() throws(SQLError) -> ChainVerdict? {
        let answer: String?
        do throws(SQLError) {
            answer = try connection.statement("PRAGMA integrity_check(1)")
                .rows { $0.string(at: 0) }.first
        } catch {
            guard error.code == .corrupt else { throw error }
            answer = error.message
        }
        if answer == "ok" { return nil }
        return .broken(sequence: 0, reason: "the file is damaged: \(answer ?? "no answer")")
    }

    // MARK: the records

    /// The fault with the lowest sequence. Both queries are ordered by (kind, id) through their
    /// indexes, so they are gone through side by side.
    private func records() throws(SQLError) -> ChainVerdict? {
        var faults = Faults()
        do throws(SQLError) {
            let changes = try connection.statement(
                "SELECT document, seq FROM changes ORDER BY kind, id, seq")
            let stored = try connection.statement(
                """
                SELECT kind, id, customer, revision, is_live, entries FROM records
                ORDER BY kind, id
                """)
            defer {
                changes.reset()
                stored.reset()
            }
            var hasStored = try stored.step()
            var next = try nextChange(changes)
            while let first = next {
                var row = RecordRow(of: first)
                repeat {
                    guard let change = next else { break }
                    row.apply(change)
                    next = try nextChange(changes)
                } while next.map { $0.kind == first.kind && $0.id.isSameText(first.id) } ?? false
                // Rows that come before it have no change that made them.
                while hasStored, row.isAfter(stored) {
                    faults.add(stored.integer(at: 3), "a record that no change made")
                    hasStored = try stored.step()
                }
                guard hasStored, row.hasName(of: stored) else {
                    faults.add(row.history.revision, "\(row.name) is missing")
                    continue
                }
                if !row.isStored(in: stored) {
                    faults.add(
                        row.history.revision, "\(row.name) is not what its changes make of it")
                }
                hasStored = try stored.step()
            }
            while hasStored {
                faults.add(stored.integer(at: 3), "a record that no change made")
                hasStored = try stored.step()
            }
        } catch {
            guard error.code == .corrupt else { throw error }
            faults.add(0, "the file is damaged: \(error.message)")
        }
        return faults.first
    }

    private func nextChange(_ query: SQLStatement) throws(SQLError) -> ControlChange? {
        guard try query.step() else { return nil }
        guard let change = ControlChange(document: try query.json(at: 0)) else {
            throw .damaged("row \(query.integer(at: 1)) of the audit log is no change")
        }
        return change
    }

    private struct Faults {
        private(set) var first: ChainVerdict?
        private var lowest = Int64.max

        mutating func add(_ sequence: Int64, _ reason: String) {
            if first != nil, sequence >= lowest { return }
            lowest = sequence
            first = .broken(sequence: sequence, reason: reason)
        }
    }
}

// A row of the query in `records()`: kind, id, customer, revision, is_live, entries.
extension RecordRow {
    fileprivate var name: String { "\(history.kind.rawValue) \(history.id)" }

    fileprivate func hasName(of row: SQLStatement) -> Bool {
        row.holds(history.kind.rawValue, at: 0) && row.holds(history.id, at: 1)
    }

    fileprivate func isAfter(_ row: SQLStatement) -> Bool {
        let kind = row.bytes(at: 0)
        if !history.kind.rawValue.utf8.elementsEqual(kind) {
            return kind.lexicographicallyPrecedes(history.kind.rawValue.utf8)
        }
        return row.bytes(at: 1).lexicographicallyPrecedes(history.id.utf8)
    }

    fileprivate func isStored(in row: SQLStatement) -> Bool {
        row.holds(owner, at: 2) && row.integer(at: 3) == history.revision
            && row.integer(at: 4) == (history.latest == nil ? 0 : 1)
            && row.holds(entriesText, at: 5)
    }
}

extension SQLStatement {
    /// Whether the column has the very bytes of `text`.
    fileprivate func holds(_ text: String, at column: Int32) -> Bool {
        bytes(at: column).elementsEqual(text.utf8)
    }
}
