internal import MeteringPorts

/// Decides whether a request's bearer key may use a route. Which key failed is never told.
struct Authorizer: Sendable {
    let access: any AccessControl

    /// - Parameter isLoopback: whether the request came in through a listener that only this machine
    ///   can reach: as long as there is no key, everybody there may do everything.
    /// - Returns: who asks.
    func admit(
        _ authorization: String?, to route: Route, isLoopback: Bool
    ) throws(Problem) -> Principal {
        guard let scope = route.scope else { return .anonymous }
        guard access.hasKeys else {
            if isLoopback { return .local }
            throw Self.unauthorized(
                "no key has been made yet, and without one only a loopback address is served")
        }
        guard let authorization, let secret = Self.bearer(authorization) else {
            throw Self.unauthorized("this server needs Authorization: Bearer <key>")
        }
        guard let principal = access.principal(secret: secret) else {
            throw Self.unauthorized("unknown key")
        }
        guard principal.may(scope) else {
            throw Problem(
                status: 403, code: "forbidden",
                detail: "the key lacks the scope \(scope.rawValue)")
        }
        if principal.customer != nil, route.reach == .installation { throw .wrongCustomer }
        return principal
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
}

extension Principal {
    /// Whoever asks for what is open to everybody.
    static let anonymous = Principal(id: "anonymous", scopes: [])
}
