import Foundation
import MeteringModel
import MeteringPorts
import SQLCatalog
import SQLClient
import Testing

/// A directory for one test, removed with everything in it.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/tollgate-catalog-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }
}

struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}

let instant = Timestamp(seconds: 1_700_000_000)

/// A catalog of its own.
struct CatalogFixture {
    let directory: TemporaryDirectory
    var catalog: SQLCatalog
    var path: String { directory.file("catalog.db") }

    init(options: SQLCatalog.Options = .init()) throws {
        directory = try TemporaryDirectory()
        catalog = try SQLCatalog(path: directory.file("catalog.db"), options: options)
    }

    mutating func reopen(options: SQLCatalog.Options = .init()) throws {
        catalog.close()
        catalog = try SQLCatalog(path: path, options: options)
    }

    @discardableResult
    func commit(_ changes: ControlChange...) throws -> Int64 {
        try catalog.commit(ControlCommit(base: catalog.revision, changes: changes))
    }

    /// Changes the file behind the catalog's back.
    func tamper(_ sql: String) throws {
        let connection = try SQLConnection(path: path, options: .init(synchronous: .full))
        defer { connection.close() }
        try connection.execute(sql)
    }
}

func change(
    _ kind: RecordKind, _ id: String, _ patch: JSONValue, customer: CustomerID? = nil,
    action: ControlChange.Action = .create, at: Timestamp = instant,
    effectiveAt: Timestamp = .distantPast, actor: String = "key_1", request: String = "req_1",
    before: JSONValue? = nil, after: JSONValue? = nil, undoes: Int64? = nil
) -> ControlChange {
    ControlChange(
        at: at, actor: actor, source: "api", effectiveAt: effectiveAt, requestID: request,
        action: action, kind: kind, id: id, customer: customer, patch: patch, before: before,
        after: after, undoes: undoes)
}

func customer(_ id: String, _ members: [String: JSONValue] = [:]) -> ControlChange {
    change(.customer, id, .object(members), customer: CustomerID(id))
}

func subscription(
    _ id: String, of customer: CustomerID, plan: String, version: Int = 1
) -> ControlChange {
    change(
        .subscription, id, .object(["plan": .string(plan), "version": .integer(version)]),
        customer: customer)
}

func json(_ text: String) throws -> JSONValue { try JSONParser.parse(text) }

/// Random changes that make sense together: records are made, patched, ended and undone.
struct RandomChanges {
    private var numbers: SeededNumbers
    private var sequence: Int64 = 0
    private(set) var histories: [String: RecordHistory] = [:]
    private(set) var all: [ControlChange] = []

    init(seed: UInt64) { numbers = SeededNumbers(seed: seed) }

    mutating func next() -> ControlChange {
        sequence += 1
        let kind = RecordKind.allCases.randomElement(using: &numbers) ?? .customer
        let id = "é\"\\\u{1}-\(kind.rawValue)-\(Int.random(in: 0..<6, using: &numbers))"
        let name = kind.rawValue + id
        let owner: CustomerID? =
            RecordKind.contract.contains(kind) || kind == .seat
            ? CustomerID("c\(Int.random(in: 0..<3, using: &numbers))") : nil
        let known =
            histories[name]
            ?? RecordHistory(
                kind: kind, id: id, customer: kind == .customer ? CustomerID(id) : owner)
        let effectiveAt = instant.adding(seconds: .random(in: -500...500, using: &numbers))
        var made = change(
            kind, id, patch(), customer: kind == .customer ? CustomerID(id) : known.customer,
            action: known.entries.isEmpty ? .create : .update,
            at: Timestamp(microseconds: instant.microseconds + sequence * 1_234),
            effectiveAt: effectiveAt, actor: "key_\(Int.random(in: 0..<3, using: &numbers))",
            request: "req_\(sequence / 3)", before: known.document(at: effectiveAt))
        if Int.random(in: 0..<8, using: &numbers) == 0, let old = known.entries.randomElement() {
            made.action = .undo
            made.undoes = old.sequence
            made.patch = .null
        } else if Int.random(in: 0..<8, using: &numbers) == 0 {
            made.action = .delete
            made.patch = .null
        }
        if Bool.random(using: &numbers) { made.reason = "because \u{2028} of \t it" }
        made.sequence = sequence
        var history = known
        history.apply(made)
        made.after = history.document(at: effectiveAt)
        histories[name] = history
        all.append(made)
        return made
    }

    private mutating func patch() -> JSONValue {
        .object([
            "name": .string("n\(Int.random(in: 0..<9, using: &numbers))"),
            "limit": .number("1.50"), "gone": .null,
            "plan": .string("p\(Int.random(in: 0..<3, using: &numbers))"),
            "subjects": .array([.string("s\(Int.random(in: 0..<99, using: &numbers))")]),
            "nested": .object(["a": .bool(true), "b": .array([.null, .integer(-7)])]),
        ])
    }
}
