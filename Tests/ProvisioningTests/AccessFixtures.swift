import Foundation
import MeteringModel
import MeteringPorts
import Provisioning
import SQLCatalog
import Synchronization
import Testing

/// A directory and a clock for one test of keys or tokens; the directory is removed afterwards.
final class AccessFixture: Sendable {
    static let start = Timestamp(seconds: 1_790_000_000)

    let path: String
    let catalog: SQLCatalog
    private let time = Mutex(AccessFixture.start)

    init() throws {
        path = NSTemporaryDirectory() + "/tollgate-access-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        catalog = try SQLCatalog(path: path + "/catalog.db")
    }

    deinit {
        catalog.close()
        try? FileManager.default.removeItem(atPath: path)
    }

    var now: Timestamp {
        get { time.withLock { $0 } }
        set { time.withLock { $0 = newValue } }
    }

    var clock: WallClock { WallClock { self.now } }

    func advance(_ seconds: Int64) { now = now.adding(seconds: seconds) }

    /// `root` is the parent of `child`; `other` stands alone.
    func book(fileSecrets: [String] = []) throws -> AccessBook {
        try AccessBook(
            store: catalog, fileSecrets: fileSecrets, clock: clock,
            isInTree: { customer, root in
                customer == root || (customer == "child" && root == "root")
            },
            owner: { $0 == "subject" ? "root" : nil })
    }

    func addCustomers(_ ids: String...) throws {
        let changes = ids.map { id in
            ControlChange(
                at: now, actor: "test", source: "test", effectiveAt: .distantPast,
                requestID: "req", action: .create, kind: .customer, id: id,
                customer: CustomerID(id), patch: .object([:]))
        }
        _ = try catalog.commit(ControlCommit(base: catalog.revision, changes: changes))
    }
}

extension AccessFixture {
    static let admin = Principal(id: "local", scopes: [.admin])

    static func context(
        _ principal: Principal = admin, idempotencyKey: String? = nil, isDryRun: Bool = false
    ) -> CommandContext {
        CommandContext(
            principal: principal, requestID: "req", idempotencyKey: idempotencyKey,
            isDryRun: isDryRun)
    }

    static func body(_ scopes: [String], _ more: [String: JSONValue] = [:]) -> JSONValue {
        let body: [String: JSONValue] = [
            "name": .string("gateway"), "scopes": .array(scopes.map(JSONValue.string)),
        ]
        return .object(body.merging(more) { $1 })
    }

    /// The problem that a call throws, or nil.
    static func problem(_ body: () throws -> Void) -> ControlProblem? {
        do {
            try body()
            return nil
        } catch {
            return error as? ControlProblem
        }
    }
}

extension AccessBook {
    /// Makes a key; its secret and id.
    func make(
        _ scopes: [String], _ more: [String: JSONValue] = [:],
        by principal: Principal = AccessFixture.admin
    ) throws -> (secret: [UInt8], id: String) {
        let answer = try create(
            AccessFixture.body(scopes, more), AccessFixture.context(principal))
        let secret = try #require(answer.body["secret"]?.text)
        return (Array(secret.utf8), try #require(answer.body["id"]?.text))
    }
}
