internal import MeteringModel
internal import MeteringPorts
internal import NIOHTTP1

// Routes of the control plane that are not about one record.
extension RouteTable {
    static func control(_ routes: ControlRoutes) -> [Route] {
        records(routes) + plans(routes) + provisioning(routes) + seats(routes) + imports(routes)
            + audit(routes) + keys(routes)
    }

    private typealias MakeOperation = @Sendable (Request) -> ControlCommand.Operation

    /// A command by `POST` (or another method), named as the contract names it.
    private static func perform(
        _ routes: ControlRoutes, _ pattern: String, method: HTTPMethod = .POST,
        scope: AccessScope = .writeLimits, reach: Route.Reach = .tree, id: String,
        summary: String, parameters: [Operation.Parameter] = change,
        request: (type: String, schema: String)? = nil,
        success: (status: Int, schema: String) = (200, "Any"), mayCreate: Bool = false,
        _ operation: @escaping MakeOperation
    ) -> Route {
        Route(
            method: method, pattern: pattern, scope: scope, reach: reach,
            operation: Operation(
                id: id, summary: summary, parameters: parameters,
                request: request.map { [$0] } ?? [("application/json", "Why")],
                isRequestRequired: request != nil, success: success, mayCreate: mayCreate,
                problems: [400, 404, 409, 412, 413, 422, 503]),
            handler: .asynchronous { request throws(Problem) in
                try await routes.perform(operation(request), request)
            })
    }

    private static func read(
        _ pattern: String, scope: AccessScope? = .readUsage, reach: Route.Reach = .tree,
        id: String, summary: String, parameters: [Operation.Parameter] = [],
        schema: String = "Any",
        _ handle: @escaping @Sendable (Request) async throws(Problem) -> Answer
    ) -> Route {
        Route(
            method: .GET, pattern: pattern, scope: scope, reach: reach, bodyLimit: .none,
            operation: Operation(
                id: id, summary: summary, parameters: parameters, success: (200, schema),
                problems: [400, 404, 503]),
            handler: .asynchronous(handle))
    }

    private static func plans(_ routes: ControlRoutes) -> [Route] {
        [
            read(
                "/v1/plans/{key}/versions", reach: .common, id: "planVersions",
                summary: "Every version of a plan.", parameters: paging,
                schema: "PlanVersions"
            ) { request throws(Problem) in
                let key = PlanKey(rawValue: request.parameter(0))
                return try await routes.list(.planVersions(key), request)
            },
            perform(
                routes, "/v1/plans/{key}/migrate", reach: .installation, id: "migratePlan",
                summary: "Move subscriptions to another version of their plan.",
                parameters: change + [expectedCount], request: ("application/json", "Migration"),
                success: (200, "Migrated")
            ) { .migrate(PlanKey(rawValue: $0.parameter(0))) },
        ]
    }

    private static func provisioning(_ routes: ControlRoutes) -> [Route] {
        func route(
            _ pattern: String, _ id: String, _ summary: String, _ schema: String,
            _ operation: ControlCommand.Operation
        ) -> Route {
            perform(
                routes, pattern, id: id, summary: summary, request: ("application/json", schema),
                success: (200, schema == "Provision" ? "Provisioned" : "Revoked")
            ) { _ in operation }
        }
        return [
            route(
                "/v1/entitlements", "provision", "What a customer has bought, as vendors send it.",
                "Provision", .provision),
            route(
                "/v1/entitlements/provision", "provisionByName", "The same.", "Provision",
                .provision),
            route(
                "/v1/entitlements/revoke", "revoke", "Take a product away from a customer.",
                "Revoke", .revoke),
            route(
                "/v1/entitlements/reinstate", "reinstate", "Give a revoked product back.",
                "Revoke", .reinstate),
            Route(
                method: .POST, pattern: "/v1/webhooks/stripe", scope: nil, reach: .common,
                operation: Operation(
                    id: "stripeWebhook",
                    summary: "Events of Stripe; Stripe-Signature is the authentication.",
                    parameters: [
                        .init(
                            name: "Stripe-Signature", place: .header,
                            text: "Made by Stripe over the body.")
                    ],
                    request: [("application/json", "StripeEvent")],
                    success: (200, "WebhookAnswer"),
                    problems: [400, 401, 404, 409, 413, 422, 503]),
                handler: .asynchronous { request throws(Problem) in
                    try await routes.webhook("stripe", request)
                }),
        ]
    }

    private static func seats(_ routes: ControlRoutes) -> [Route] {
        let collection = "/v1/customers/{id}/seats/{feature}"
        let seat = collection + "/{holder}"
        return [
            read(
                collection, id: "listSeats", summary: "Who holds a seat.",
                parameters: [at] + paging, schema: "Seats"
            ) { request throws(Problem) in
                try await routes.list(.seats(request.customer, request.feature), request)
            },
            perform(
                routes, collection, id: "assignSeat",
                summary: "Give a seat; giving it again gives the same answer.",
                request: ("application/json", "SeatHolder"), success: (200, "Seat"),
                mayCreate: true
            ) { .assignSeat($0.customer, $0.feature) },
            perform(
                routes, seat, method: .DELETE, id: "releaseSeat", summary: "Take a seat back.",
                success: (200, "Deleted")
            ) { .releaseSeat($0.customer, $0.feature, $0.parameter(2)) },
            perform(
                routes, seat + "/heartbeat", scope: .check, id: "renewSeat",
                summary: "A concurrent seat is still in use.", parameters: command,
                success: (200, "Seat"), mayCreate: true
            ) { .renewSeat($0.customer, $0.feature, $0.parameter(2)) },
            read(
                "/v1/customers/{id}/adjustments", id: "listAdjustments",
                summary: "What past-dated changes did to usage that had been scored.",
                parameters: paging, schema: "Adjustments"
            ) { request throws(Problem) in
                try await routes.list(.adjustments(request.customer), request)
            },
        ]
    }

    private static func imports(_ routes: ControlRoutes) -> [Route] {
        let id = Operation.Parameter(
            name: "id", text: "Names the import, so that it can go on where it stopped.")
        return [
            Route(
                method: .POST, pattern: "/v1/customers:import", scope: .writeLimits,
                bodyLimit: .bulk,
                operation: Operation(
                    id: "importCustomers", summary: "Many customers, one JSON document a line.",
                    parameters: [id, dryRun, expectedCount, effectiveAt] + command,
                    request: [("application/x-ndjson", "ImportLine")], success: (200, "Import"),
                    problems: [400, 409, 413, 422, 503]),
                handler: .asynchronous(routes.importCustomers)),
            read(
                "/v1/imports/{id}", reach: .installation, id: "getImport",
                summary: "How far an import is.", schema: "Import"
            ) { request throws(Problem) in
                try await routes.plain(.importProgress(request.parameter(0)), request)
            },
            Route(
                method: .POST, pattern: "/v1/imports/{id}/rollback", scope: .writeLimits,
                operation: Operation(
                    id: "rollBackImport", summary: "Undo all that an import changed.",
                    parameters: command, request: [("application/json", "Why")],
                    isRequestRequired: false, success: (200, "Import"),
                    problems: [400, 404, 409, 413, 422, 503]),
                handler: .asynchronous(routes.rollBackImport)),
        ]
    }
}

extension Request {
    /// The feature that a seat's path names.
    fileprivate var feature: FeatureKey { FeatureKey(rawValue: parameter(1)) }
}
