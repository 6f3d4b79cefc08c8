import MeteringModel
import SQLClient

/// A record as its row has it: a history, and what is derived from it.
struct RecordRow {
    static let columns = "kind, id, customer, revision, entries"

    var history: RecordHistory
    /// Empty for the catalog's.
    var owner: String

    /// A record that has no row yet.
    init(of change: ControlChange) {
        owner = change.owner
        history = RecordHistory(
            kind: change.kind, id: change.id, customer: owner.isEmpty ? nil : CustomerID(owner))
    }

    init(_ history: RecordHistory) {
        self.history = history
        owner = history.customer?.rawValue ?? ""
    }

    mutating func apply(_ change: ControlChange) {
        history.apply(change)
        // A change that names no owner leaves the record where it is.
        if !change.owner.isEmpty, !change.owner.isSameText(owner) {
            owner = change.owner
            history.customer = CustomerID(owner)
        }
    }

    var entriesText: String {
        var bytes: [UInt8] = [UInt8(ascii: "[")]
        for (index, entry) in history.entries.enumerated() {
            bytes.append(contentsOf: (index == 0 ? "[" : ",[").utf8)
            bytes.append(contentsOf: String(entry.sequence).utf8)
            bytes.append(UInt8(ascii: ","))
            bytes.append(contentsOf: String(entry.effectiveAt.microseconds).utf8)
            bytes.append(UInt8(ascii: ","))
            entry.patch.write(to: &bytes)
            bytes.append(UInt8(ascii: "]"))
        }
        bytes.append(UInt8(ascii: "]"))
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension RecordHistory {
    /// Columns as `RecordRow.columns`.
    init(row: SQLStatement) throws(SQLError) {
        let id = row.string(at: 1)
        guard let kind = RecordKind(rawValue: row.string(at: 0)) else {
            throw .damaged("a record of an unknown kind: \(row.string(at: 0)) \(id)")
        }
        let customer = row.string(at: 2)
        let entries = Self.entries(row.bytes(at: 4))
        guard let entries else { throw .damaged("the entries of \(kind.rawValue) \(id)") }
        self.init(
            kind: kind, id: id, customer: customer.isEmpty ? nil : CustomerID(customer),
            entries: entries, revision: row.integer(at: 3))
    }

    private static func entries(_ text: [UInt8]) -> [Entry]? {
        guard let rows = (try? JSONParser.parse(text))?.elements else { return nil }
        var entries: [Entry] = []
        entries.reserveCapacity(rows.count)
        for row in rows {
            guard let parts = row.elements, parts.count == 3, let sequence = parts[0].integer,
                let instant = parts[1].integer
            else { return nil }
            entries.append(
                Entry(
                    sequence: sequence, effectiveAt: Timestamp(microseconds: instant),
                    patch: parts[2]))
        }
        return entries
    }
}

extension SQLStatement {
    func timestamp(at column: Int32) -> Timestamp { Timestamp(microseconds: integer(at: column)) }

    func optionalTimestamp(at column: Int32) -> Timestamp? {
        optionalInteger(at: column).map(Timestamp.init(microseconds:))
    }

    func json(at column: Int32) throws(SQLError) -> JSONValue {
        do throws(JSONSyntaxError) {
            return try JSONParser.parse(bytes(at: column))
        } catch {
            throw .damaged(error.description)
        }
    }
}
