package import MeteringModel
package import MeteringPorts
import Synchronization

// Making, revoking and listing keys: documents in, documents out.

extension AccessBook {
    /// `POST /v1/keys`: `{name, scopes, customer?, expires_at?}`.
    ///
    /// An idempotency key makes one key however often the request comes. Its answer is not stored,
    /// as it holds the secret: this process remembers the latest ones, and after that the caller is
    /// told to make another.
    /// - Returns: 201 with the key's document and, this once, its `secret`; in a dry run 200 without.
    /// - Throws: `invalid_key` and the like with the field at fault; `first_key_must_be_admin`;
    ///   `idempotency_key_reused`; `secret_not_kept`; `forbidden` for a caller without the right.
    package func create(
        _ body: JSONValue, _ context: CommandContext
    ) throws(ControlProblem) -> ControlAnswer {
        try mayManage(context.principal)
        let request = try KeyRequest(body, now: clock.now())
        try checkReach(of: request, by: context.principal)
        var generator = SystemRandomNumberGenerator()
        let secret = AccessSecret.make(using: &generator)
        let key = StoredAccessKey(
            id: Self.id(for: context, using: &generator), name: request.name,
            digest: SecretDigest(of: Array(secret.utf8)).bytes,
            prefix: String(secret.prefix(AccessSecret.prefix.utf8.count + 4)),
            lastFour: String(secret.suffix(4)), scopes: request.scopes,
            customer: request.customer, createdBy: context.principal.id, createdAt: clock.now(),
            expiresAt: request.expiresAt)
        return try changing.withLock { recent throws(ControlProblem) in
            if let known = table.entries.first(where: { $0.key.id == key.id }) {
                return try recent.answer(for: known.key, asked: request)
            }
            try checkFirst(key)
            var document = Self.document(key, lastUsedAt: nil)
            if context.isDryRun {
                document["id"] = .null
                return ControlAnswer(body: .object(document))
            }
            try put(key)
            document["secret"] = .string(secret)
            let answer = ControlAnswer(
                status: 201, body: .object(document), location: "/v1/keys/\(key.id)")
            if context.idempotencyKey != nil { recent.keep(answer, of: key.id) }
            return answer
        }
    }

    /// `DELETE /v1/keys/{id}`: the next request with it is refused. The same again changes nothing.
    /// - Throws: `not_found`; `last_admin_key`; `forbidden` for a caller without the right.
    package func revoke(
        _ id: String, _ context: CommandContext
    ) throws(ControlProblem) -> ControlAnswer {
        let principal = context.principal
        try mayManage(principal)
        return try changing.withLock { _ throws(ControlProblem) in
            guard let entry = table.entries.first(where: { $0.key.id == id }),
                isVisible(entry.key, to: principal)
            else { throw ControlProblem(.notFound, "not_found", "there is no key \"\(id)\"") }
            var key = entry.key
            if key.revokedAt == nil {
                try checkNotLast(key)
                key.revokedAt = clock.now()
                if !context.isDryRun { try put(key) }
            }
            return ControlAnswer(
                body: .object(Self.document(key, lastUsedAt: entry.lastUsedAt)))
        }
    }

    /// `GET /v1/keys`: oldest first, revoked and expired ones included; never a secret.
    package func list(_ principal: Principal) throws(ControlProblem) -> ControlAnswer {
        try mayManage(principal)
        let entries = table.entries.filter { isVisible($0.key, to: principal) }
            .sorted { ($0.key.createdAt, $0.key.id) < ($1.key.createdAt, $1.key.id) }
        let items = entries.map { entry in
            JSONValue.object(Self.document(entry.key, lastUsedAt: entry.lastUsedAt))
        }
        return ControlAnswer(body: .object(["items": .array(items), "next": .null]))
    }

    // MARK: rights

    private func mayManage(_ principal: Principal) throws(ControlProblem) {
        if principal.may(.admin) { return }
        throw ControlProblem(
            .forbidden, "forbidden", "keys are managed with the scope admin; this key lacks it")
    }

    /// Call it with `changing` held.
    private func checkFirst(_ key: StoredAccessKey) throws(ControlProblem) {
        if hasKeys || key.scopes.contains(.admin) && key.customer == nil { return }
        throw ControlProblem(
            .unprocessable, "first_key_must_be_admin",
            "from the first key on every request needs one: the first must have the scope admin and"
                + " no customer, or nobody could make another",
            field: key.customer == nil ? "scopes" : "customer")
    }

    /// A caller that is bound to a customer hands out no more than it has.
    private func checkReach(
        of request: KeyRequest, by principal: Principal
    ) throws(ControlProblem) {
        if let customer = request.customer {
            let known = try Self.storing { () throws(ControlStoreError) in
                try store.record(.customer, customer.rawValue)?.latest
            }
            if known == nil {
                throw ControlProblem(
                    .unprocessable, "unknown_customer", "there is no customer \"\(customer)\"",
                    field: "customer")
            }
        }
        guard let root = principal.customer else { return }
        if let customer = request.customer, isInTree(customer, of: root) { return }
        throw ControlProblem(
            .forbidden, "forbidden",
            "this key is bound to the customer \"\(root)\" and can make keys of its tree only",
            field: "customer")
    }

    private func isVisible(_ key: StoredAccessKey, to principal: Principal) -> Bool {
        guard let root = principal.customer else { return true }
        return key.customer.map { isInTree($0, of: root) } ?? false
    }

    /// An installation that has keys needs one that can make others.
    private func checkNotLast(_ key: StoredAccessKey) throws(ControlProblem) {
        func isAdmin(_ key: StoredAccessKey) -> Bool {
            key.scopes.contains(.admin) && key.customer == nil
        }
        guard isAdmin(key), !hasFileKeys else { return }
        let now = clock.now()
        let hasOther = table.entries.contains {
            $0.key.id != key.id && isAdmin($0.key) && $0.isUsable(at: now)
        }
        if hasOther { return }
        throw ControlProblem(
            .conflict, "last_admin_key",
            "without this key nobody could make another: make a new key with the scope admin, then"
                + " revoke this one")
    }

    // MARK: form

    /// Of the caller and its idempotency key, or random without one.
    private static func id(
        for context: CommandContext, using generator: inout some RandomNumberGenerator
    ) -> String {
        let letters = Array("abcdefghijklmnopqrstuvwxyz234567")
        var places = (0..<16).map { _ in Int.random(in: 0..<32, using: &generator) }
        if let name = context.idempotencyKey {
            let caller = context.principal.id
            let digest = SecretDigest(of: Array("\(caller.utf8.count):\(caller)\(name)".utf8))
            places = digest.bytes.prefix(16).map { Int($0 & 31) }
        }
        return "key_" + String(places.map { letters[$0] })
    }

    private static func document(
        _ key: StoredAccessKey, lastUsedAt: Timestamp?
    ) -> [String: JSONValue] {
        func instant(_ instant: Timestamp?) -> JSONValue { .optional(instant?.rfc3339()) }
        return [
            "id": .string(key.id), "name": .string(key.name), "prefix": .string(key.prefix),
            "last_four": .string(key.lastFour),
            "scopes": .array(key.scopes.map(\.rawValue).sorted().map(JSONValue.string)),
            "customer": .optional(key.customer?.rawValue), "created_by": .string(key.createdBy),
            "created_at": instant(key.createdAt), "expires_at": instant(key.expiresAt),
            "revoked_at": instant(key.revokedAt), "last_used_at": instant(lastUsedAt),
        ]
    }
}
