import MeteringModel
import MeteringPorts
import Synchronization

/// Remembers what it was asked; answers with a record of the kind, or as `next` says.
final class FakeControl: ControlPlane {
    let commands = Mutex<[ControlCommand]>([])
    let queries = Mutex<[ControlQuery]>([])
    let imports = Mutex<[(count: Int, id: String?, context: CommandContext)]>([])
    let rollbacks = Mutex<[(id: String, context: CommandContext)]>([])
    let webhooks = Mutex<[(system: String, body: [UInt8], signature: String?)]>([])
    let failure = Mutex<ControlProblem?>(nil)

    private func fail() throws(ControlProblem) {
        if let problem = failure.withLock({ $0 }) { throw problem }
    }

    private func document(_ kind: RecordKind, _ id: String) -> JSONValue {
        switch kind {
        case .product, .meter, .feature, .plan, .addOn, .integration: .members(["key": .string(id)])
        case .customer, .credential, .alertEndpoint, .signal, .correction:
            .members(["id": .string(id)])
        case .subscription, .override, .grant, .suspension, .revocation, .seat:
            .members(["id": .string(id), "customer": .string("acme")])
        }
    }

    func perform(_ command: ControlCommand) async throws(ControlProblem) -> ControlAnswer {
        commands.withLock { $0.append(command) }
        try fail()
        switch command.operation {
        case .create(let kind):
            return ControlAnswer(
                status: 201, body: document(kind, "new"), entityTag: "41",
                location: "/v1/things/new")
        case .put(let kind, let id), .patch(let kind, let id):
            return ControlAnswer(body: document(kind, id), entityTag: "42")
        case .assignSeat(_, _):
            return ControlAnswer(status: 201, body: .members(["holder": command.body["holder"]]))
        case .createKey:
            return ControlAnswer(
                status: 201,
                body: .members([
                    "id": .string("k1"), "name": .string("n"), "secret": .string("tg_secret"),
                    "scopes": .array([.string("check")]),
                ]))
        case .mintToken:
            return ControlAnswer(
                status: 201,
                body: .members([
                    "token": .string("a.b.c"), "expires_at": .string("2026-11-21T10:30:03Z"),
                ]))
        default: return ControlAnswer(body: .members(["request_id": .string("r")]))
        }
    }

    func read(_ query: ControlQuery) async throws(ControlProblem) -> ControlAnswer {
        queries.withLock { $0.append(query) }
        try fail()
        let page: (JSONValue) -> ControlAnswer = {
            ControlAnswer(body: .object(["items": .array([$0, $0]), "next": .string("c2")]))
        }
        switch query.subject {
        case .list(let kind): return page(document(kind, "one"))
        case .record(let kind, let id):
            if id == "gone" { throw ControlProblem(.notFound, "not_found", "no such record") }
            return ControlAnswer(body: document(kind, id), entityTag: "17")
        case .audit:
            return page(
                .members([
                    "seq": .integer(1), "at": .string("2026-11-21T10:15:03Z"),
                    "actor": .string("local"), "source": .string("api"),
                    "action": .string("create"), "kind": .string("customer"),
                    "id": .string("acme"), "prev_hash": .string("00"), "hash": .string("ab"),
                ]))
        case .auditHead:
            return ControlAnswer(
                body: .members([
                    "seq": .integer(9), "hash": .string("ab"),
                    "at": .string("2026-11-21T10:15:03Z"),
                    "kid": .string("k"), "signature": .string("s"),
                ]))
        case .keys:
            return page(
                .members([
                    "id": .string("k1"), "name": .string("n"), "scopes": .array([]),
                ]))
        case .jwks: return ControlAnswer(body: .object(["keys": .array([])]))
        case .planVersions, .adjustments: return page(.object([:]))
        case .seats: return page(.members(["holder": .string("u1")]))
        case .request:
            return ControlAnswer(body: .object(["items": .array([]), "next": .null]))
        case .importProgress: return ControlAnswer(body: .object([:]))
        }
    }

    func importCustomers(
        _ body: [UInt8], _ options: ImportOptions, _ context: CommandContext
    ) async throws(ControlProblem) -> ControlAnswer {
        imports.withLock { $0.append((body.count, options.id, context)) }
        try fail()
        return ControlAnswer(body: .members(["id": .string("i"), "total": .integer(2)]))
    }

    func rollBackImport(
        _ id: String, _ context: CommandContext
    ) async throws(ControlProblem) -> ControlAnswer {
        rollbacks.withLock { $0.append((id, context)) }
        try fail()
        return ControlAnswer(body: .members(["id": .string(id), "state": .string("rolled_back")]))
    }

    func webhook(
        _ system: String, body: [UInt8], signature: String?
    ) async throws(ControlProblem) -> ControlAnswer {
        webhooks.withLock { $0.append((system, body, signature)) }
        if signature == nil { throw ControlProblem(.unauthorized, "bad_signature", "forged") }
        return ControlAnswer(body: .object(["received": .bool(true)]))
    }

    /// The one command that was asked for since the last call.
    func takeCommand() -> ControlCommand? {
        commands.withLock { commands in
            defer { commands.removeAll() }
            return commands.count == 1 ? commands[0] : nil
        }
    }

    func takeQueries() -> [ControlQuery] {
        queries.withLock { queries in
            defer { queries.removeAll() }
            return queries
        }
    }
}

/// Keys by their secret; `acme` has the children `acme-east` and `acme-west`, a subject is `key_`
/// and its customer's name.
final class FakeAccess: AccessControl {
    let keys = Mutex<[String: Principal]>([:])

    func add(_ secret: String, scopes: Set<AccessScope>, customer: CustomerID? = nil) {
        keys.withLock {
            $0[secret] = Principal(id: "id-of-" + secret, scopes: scopes, customer: customer)
        }
    }

    func principal(secret: [UInt8]) -> Principal? {
        keys.withLock { $0[String(decoding: secret, as: UTF8.self)] }
    }

    var hasKeys: Bool { keys.withLock { !$0.isEmpty } }

    func isInTree(_ customer: CustomerID, of root: CustomerID) -> Bool {
        customer == root || root == "acme" && ["acme-east", "acme-west"].contains(customer)
    }

    func owner(of subject: SubjectID) -> CustomerID? {
        guard subject.rawValue.hasPrefix("key_") else { return nil }
        return CustomerID(rawValue: String(subject.rawValue.dropFirst(4)))
    }
}
