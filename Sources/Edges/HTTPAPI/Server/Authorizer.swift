/// Decides whether a request's bearer key may use a route. Keys are compared in full and in
/// constant time; which key failed is never told.
struct Authorizer: Sendable {
    private let keys: [(secret: [UInt8], scopes: Set<APIKey.Scope>)]

    init(keys: [APIKey]) {
        self.keys = keys.map { (Array($0.secret.utf8), $0.scopes) }
    }

    /// Nil when the request may pass.
    func problem(authorization: String?, scope: APIKey.Scope?) -> Problem? {
        guard let scope, !keys.isEmpty else { return nil }
        guard let authorization, let secret = Self.bearer(authorization) else {
            return Self.unauthorized("this server needs Authorization: Bearer <key>")
        }
        var granted: Set<APIKey.Scope>?
        for key in keys where Self.isEqual(key.secret, secret) { granted = key.scopes }
        guard let granted else { return Self.unauthorized("unknown key") }
        if granted.contains(scope) || granted.contains(.admin) { return nil }
        return Problem(
            status: 403, code: "forbidden", detail: "the key lacks the scope \(scope.rawValue)")
    }

    private static func unauthorized(_ detail: String) -> Problem {
        var problem = Problem(status: 401, code: "unauthorized", detail: detail)
        problem.headers = [("WWW-Authenticate", "Bearer")]
        return problem
    }

    private static func bearer(_ header: String) -> [UInt8]? {
        let bytes = Array(header.utf8)
        guard bytes.count > 7, header.prefix(7).lowercased() == "bearer " else { return nil }
        return Array(bytes[7...])
    }

    /// Takes the same time wherever two keys of one length differ.
    private static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        var difference = UInt8(left.count == right.count ? 0 : 1)
        for index in right.indices {
            let other = left.isEmpty ? 0 : left[index % left.count]
            difference |= right[index] ^ other
        }
        return difference == 0
    }
}
