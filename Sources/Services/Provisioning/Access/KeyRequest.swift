import MeteringModel
import MeteringPorts

/// The body of `POST /v1/keys`, checked.
struct KeyRequest {
    private static let members = ["name", "scopes", "customer", "expires_at"]
    private static let nameBytesMax = 200

    let name: String
    let scopes: Set<AccessScope>
    let customer: CustomerID?
    let expiresAt: Timestamp?

    init(_ body: JSONValue, now: Timestamp) throws(ControlProblem) {
        guard let object = body.object else {
            throw Self.problem("the body must be an object", field: nil)
        }
        for name in object.keys.sorted() where !Self.members.contains(name) {
            throw Self.problem(
                "unknown member \"\(name)\"; known are \(Self.members.joined(separator: ", "))",
                field: name)
        }
        guard let name = object["name"]?.text, !name.isEmpty,
            name.utf8.count <= Self.nameBytesMax
        else {
            throw Self.problem(
                "a key needs a name for people, of at most \(Self.nameBytesMax) bytes",
                field: "name")
        }
        self.name = name
        scopes = try Self.scopes(object["scopes"])
        customer = try Self.customer(object["customer"])
        expiresAt = try Self.expiry(object["expires_at"], now: now)
    }

    private static func scopes(_ value: JSONValue?) throws(ControlProblem) -> Set<AccessScope> {
        let known = AccessScope.allCases.map(\.rawValue).joined(separator: ", ")
        guard let elements = value?.elements, !elements.isEmpty else {
            throw problem("a key needs a list of scopes: \(known)", field: "scopes")
        }
        var scopes: Set<AccessScope> = []
        for (index, element) in elements.enumerated() {
            guard let scope = element.text.flatMap(AccessScope.init(rawValue:)) else {
                let word = element.text ?? element.canonicalText
                let meant = nearest(to: word).map { "; did you mean \"\($0)\"?" } ?? "."
                throw ControlProblem(
                    .unprocessable, "unknown_scope",
                    "unknown scope \"\(word)\"\(meant) Scopes are \(known)",
                    field: "scopes[\(index)]")
            }
            scopes.insert(scope)
        }
        return scopes
    }

    /// People write `write:events`, `events.write`, `Events:Write` or `audit`.
    private static func nearest(to word: String) -> String? {
        func parts(_ word: String) -> Set<String> {
            Set(word.lowercased().split { !$0.isLetter }.map(String.init))
        }
        let asked = parts(word)
        let near = AccessScope.allCases.map(\.rawValue).filter { scope in
            !asked.isEmpty && (asked.isSubset(of: parts(scope)) || parts(scope).isSubset(of: asked))
        }
        return near.count == 1 ? near[0] : nil
    }

    private static func customer(_ value: JSONValue?) throws(ControlProblem) -> CustomerID? {
        guard let value, !value.isNull else { return nil }
        guard let id = value.text, !id.isEmpty else {
            throw problem("customer must be a customer's id", field: "customer")
        }
        return CustomerID(id)
    }

    private static func expiry(
        _ value: JSONValue?, now: Timestamp
    ) throws(ControlProblem) -> Timestamp? {
        guard let value, !value.isNull else { return nil }
        guard let instant = value.text.flatMap({ Timestamp(rfc3339: $0) }) else {
            throw problem(
                "expires_at must be an instant such as 2027-01-31T00:00:00Z", field: "expires_at")
        }
        if instant <= now { throw problem("expires_at is in the past", field: "expires_at") }
        return Timestamp(seconds: instant.seconds)
    }

    private static func problem(_ detail: String, field: String?) -> ControlProblem {
        ControlProblem(.unprocessable, "invalid_key", detail, field: field)
    }
}
