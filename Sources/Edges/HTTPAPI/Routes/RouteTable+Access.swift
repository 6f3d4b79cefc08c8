internal import MeteringModel
internal import MeteringPorts
internal import NIOHTTP1

// The log of changes, and the keys that let people in.
extension RouteTable {
    static func audit(_ routes: ControlRoutes) -> [Route] {
        let filters: [Operation.Parameter] = [
            .init(name: "customer", text: "Only this one's."),
            .init(
                name: "kind", text: "Only changes of these records.",
                values: RecordKind.allCases.map(\.rawValue)),
            .init(name: "id", text: "Only changes of this record."),
            .init(name: "actor", text: "Only changes by this key."),
            .init(name: "request_id", text: "Only changes of this request."),
            .init(name: "from", text: "Made at or after, RFC 3339."),
            .init(name: "to", text: "Made before, RFC 3339."),
        ]
        return [
            Route(
                method: .GET, pattern: "/v1/audit", scope: .readAudit, reach: .tree,
                bodyLimit: .none,
                operation: Operation(
                    id: "audit",
                    summary: "Every change, oldest first; a line each for application/x-ndjson.",
                    parameters: filters + paging, success: (200, "Audit"), problems: [400, 503]),
                handler: .asynchronous(routes.audit)),
            read(
                "/v1/audit/head", .readAudit, .common, id: "auditHead",
                summary: "The end of the chain of changes, signed.", schema: "AuditHead",
                .auditHead, routes),
            Route(
                method: .GET, pattern: "/v1/changes/{request_id}", scope: .readAudit, reach: .tree,
                bodyLimit: .none,
                operation: Operation(
                    id: "getChange", summary: "What one request changed.", parameters: paging,
                    success: (200, "Audit"), problems: [400, 404, 503]),
                handler: .asynchronous { request throws(Problem) in
                    try await routes.list(.request(request.parameter(0)), request)
                }),
            Route(
                method: .POST, pattern: "/v1/changes/{request_id}/undo", scope: .writeLimits,
                reach: .tree,
                operation: Operation(
                    id: "undoChange", summary: "Take back what one request changed.",
                    parameters: [dryRun] + command, request: [("application/json", "Why")],
                    isRequestRequired: false, success: (200, "Undone"),
                    problems: [400, 404, 409, 413, 422, 503]),
                handler: .asynchronous { request throws(Problem) in
                    try await routes.perform(.undo(request.parameter(0)), request)
                }),
        ]
    }

    static func keys(_ routes: ControlRoutes) -> [Route] {
        [
            Route(
                method: .GET, pattern: "/v1/keys", scope: .admin, reach: .tree, bodyLimit: .none,
                operation: Operation(
                    id: "listKeys", summary: "Every API key, without its secret.",
                    parameters: paging, success: (200, "Keys"), problems: [400, 503]),
                handler: .asynchronous { request throws(Problem) in
                    try await routes.list(.keys, request)
                }),
            write(
                .POST, "/v1/keys", .admin, .tree, id: "createKey",
                summary: "Make a key; only this answer holds its secret.", body: "NewKey",
                success: (201, "Key"), routes
            ) { _ in .createKey },
            write(
                .DELETE, "/v1/keys/{id}", .admin, .tree, id: "revokeKey",
                summary: "A key that no longer opens anything.", success: (200, "Any"), routes
            ) { .revokeKey($0.parameter(0)) },
            write(
                .POST, "/v1/customers/{id}/token", .writeLimits, .tree, id: "mintToken",
                summary: "A signed token of what a customer may use, for offline checks.",
                body: "NewToken", success: (201, "Token"), routes
            ) { .mintToken($0.customer) },
            write(
                .POST, "/v1/signing-keys/rotate", .admin, .installation, id: "rotateSigningKey",
                summary: "Sign with a new key; the one before stays valid for a while.",
                success: (200, "Any"), routes
            ) { _ in .rotateSigningKey },
            read(
                "/.well-known/jwks.json", nil, .common, id: "jwks",
                summary: "The public keys that tokens are signed with.", schema: "KeySet",
                maxAge: 300, .jwks, routes),
        ]
    }

    private static func read(
        _ pattern: String, _ scope: AccessScope?, _ reach: Route.Reach, id: String,
        summary: String, schema: String, maxAge: Int? = nil, _ subject: ControlQuery.Subject,
        _ routes: ControlRoutes
    ) -> Route {
        Route(
            method: .GET, pattern: pattern, scope: scope, reach: reach, bodyLimit: .none,
            operation: Operation(
                id: id, summary: summary, success: (200, schema), problems: [503]),
            handler: .asynchronous { request throws(Problem) in
                try await routes.plain(subject, request, maxAge: maxAge)
            })
    }

    private static func write(
        _ method: HTTPMethod, _ pattern: String, _ scope: AccessScope, _ reach: Route.Reach,
        id: String, summary: String, body: String? = nil,
        success: (status: Int, schema: String), _ routes: ControlRoutes,
        _ operation: @escaping @Sendable (Request) -> ControlCommand.Operation
    ) -> Route {
        Route(
            method: method, pattern: pattern, scope: scope, reach: reach,
            operation: Operation(
                id: id, summary: summary, parameters: command,
                request: [("application/json", body ?? "Why")], isRequestRequired: false,
                success: success, problems: [400, 404, 409, 413, 422, 503]),
            handler: .asynchronous { request throws(Problem) in
                try await routes.perform(operation(request), request)
            })
    }
}
