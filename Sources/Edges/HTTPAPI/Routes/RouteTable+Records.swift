internal import MeteringModel
internal import MeteringPorts
internal import NIOHTTP1

// The records of the control plane: six routes a kind.
extension RouteTable {
    /// A kind of record as the interface shows it.
    struct RecordShape: Sendable {
        var kind: RecordKind
        /// Last segment of the collection's path.
        var path: String
        /// Name of its schema, and of its operations: `getPlan`.
        var name: String
        /// What people call one.
        var noun: String
        /// The catalog's definitions belong to no customer and are the administrator's.
        var isDefinition = false

        static let all: [RecordShape] = [
            .init(
                kind: .product, path: "products", name: "Product", noun: "a product",
                isDefinition: true),
            .init(
                kind: .meter, path: "meters", name: "Meter", noun: "a meter", isDefinition: true),
            .init(
                kind: .feature, path: "features", name: "Feature", noun: "a feature",
                isDefinition: true),
            .init(kind: .plan, path: "plans", name: "Plan", noun: "a plan", isDefinition: true),
            .init(
                kind: .addOn, path: "add-ons", name: "AddOn", noun: "an add-on",
                isDefinition: true),
            .init(kind: .customer, path: "customers", name: "Customer", noun: "a customer"),
            .init(
                kind: .subscription, path: "subscriptions", name: "Subscription",
                noun: "a subscription"),
            .init(kind: .override, path: "overrides", name: "Override", noun: "an override"),
            .init(kind: .grant, path: "grants", name: "Grant", noun: "a grant"),
            .init(kind: .suspension, path: "suspensions", name: "Suspension", noun: "a suspension"),
            .init(kind: .revocation, path: "revocations", name: "Revocation", noun: "a revocation"),
        ]
    }

    static func records(_ routes: ControlRoutes) -> [Route] {
        RecordShape.all.flatMap { collection($0, routes) + single($0, routes) }
    }

    private static func collection(_ shape: RecordShape, _ routes: ControlRoutes) -> [Route] {
        let kind = shape.kind
        let narrowing = Operation.Parameter(name: "customer", text: "Only this one's.")
        return [
            Route(
                method: .GET, pattern: "/v1/" + shape.path, scope: .readUsage,
                reach: shape.isDefinition ? .common : .tree, bodyLimit: .none,
                operation: Operation(
                    id: "list\(shape.name)s", summary: "Every one there is, by id.",
                    parameters: (shape.isDefinition ? [] : [narrowing]) + [at] + paging,
                    success: (200, shape.name + "List"), problems: [400, 503]),
                handler: .asynchronous { request throws(Problem) in
                    try await routes.list(
                        .list(kind), isNarrowed: !shape.isDefinition, request)
                }),
            Route(
                method: .POST, pattern: "/v1/" + shape.path,
                scope: shape.isDefinition ? .admin : .writeLimits,
                reach: shape.isDefinition ? .installation : .tree,
                operation: Operation(
                    id: "create\(shape.name)", summary: "Make \(shape.noun).",
                    parameters: change, request: [("application/json", shape.name)],
                    success: (201, shape.name), problems: [400, 404, 409, 413, 422, 503]),
                handler: .asynchronous { request throws(Problem) in
                    try await routes.perform(.create(kind), request)
                }),
        ]
    }

    private static func single(_ shape: RecordShape, _ routes: ControlRoutes) -> [Route] {
        let kind = shape.kind
        let pattern = "/v1/\(shape.path)/{\(shape.isDefinition ? "key" : "id")}"
        func write(
            _ method: HTTPMethod, _ verb: String, _ summary: String,
            request: [(type: String, schema: String)],
            _ operation: @escaping @Sendable (String) -> ControlCommand.Operation
        ) -> Route {
            Route(
                method: method, pattern: pattern,
                scope: shape.isDefinition ? .admin : .writeLimits,
                reach: shape.isDefinition ? .installation : .tree,
                operation: Operation(
                    id: verb + shape.name, summary: summary, parameters: change,
                    request: request, isRequestRequired: method != .DELETE,
                    success: (200, method == .DELETE ? "Deleted" : shape.name),
                    mayCreate: method == .PUT,
                    problems: [400, 404, 409, 412, 413, 422, 503]),
                handler: .asynchronous { request throws(Problem) in
                    try await routes.perform(operation(request.parameter(0)), request)
                })
        }
        return [
            Route(
                method: .GET, pattern: pattern, scope: .readUsage,
                reach: shape.isDefinition ? .common : .tree, bodyLimit: .none,
                operation: Operation(
                    id: "get" + shape.name, summary: "One of them, with its ETag.",
                    parameters: [at], success: (200, shape.name), problems: [400, 404, 503]),
                handler: .asynchronous { request throws(Problem) in
                    try await routes.record(kind, request.parameter(0), request)
                }),
            write(
                .PUT, "put", "Make it, or replace all of it.",
                request: [("application/json", shape.name)]
            ) { .put(kind, $0) },
            write(
                .PATCH, "patch", "Change some of it (RFC 7396: null removes a member).",
                request: [("application/merge-patch+json", "Patch"), ("application/json", "Patch")]
            ) { .patch(kind, $0) },
            write(
                .DELETE, "delete", "End it; what it was stays in the audit log.",
                request: [("application/json", "Why")]
            ) { .delete(kind, $0) },
        ]
    }
}
