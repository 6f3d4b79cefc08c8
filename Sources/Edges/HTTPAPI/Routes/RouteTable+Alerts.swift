internal import MeteringPorts
internal import NIOHTTP1

// Where alerts go, and what became of them. The installation's: a key that is bound to a customer
// has no part in it.
extension RouteTable {
    private static let endpoints = "/v1/alert-endpoints"

    static func alertEndpoints(_ routes: AlertEndpointRoutes) -> [Route] {
        endpointRecords(routes) + endpointActions(routes) + endpointDeliveries(routes)
    }

    private static func write(
        _ routes: AlertEndpointRoutes, _ pattern: String, method: HTTPMethod = .POST, id: String,
        summary: String, parameters: [Operation.Parameter] = [dryRun] + command,
        body: [(type: String, schema: String)]? = nil, success: (status: Int, schema: String),
        mayCreate: Bool = false,
        _ operation: @escaping @Sendable (Request) -> AlertCommand.Operation
    ) -> Route {
        Route(
            method: method, pattern: endpoints + pattern, scope: .writeAlerts,
            operation: Operation(
                id: id, summary: summary, parameters: parameters,
                request: body ?? [("application/json", "Why")], isRequestRequired: body != nil,
                success: success, mayCreate: mayCreate,
                problems: [400, 404, 409, 412, 413, 422, 503]),
            handler: .asynchronous { request throws(Problem) in
                try await routes.perform(operation(request), request)
            })
    }

    private static func read(
        _ pattern: String, id: String, summary: String,
        parameters: [Operation.Parameter] = [], schema: String,
        _ handle: @escaping @Sendable (Request) async throws(Problem) -> Answer
    ) -> Route {
        Route(
            method: .GET, pattern: endpoints + pattern, scope: .readUsage, bodyLimit: .none,
            operation: Operation(
                id: id, summary: summary, parameters: parameters, success: (200, schema),
                problems: [400, 404, 422, 503]),
            handler: .asynchronous(handle))
    }

    private static func endpointRecords(_ routes: AlertEndpointRoutes) -> [Route] {
        let record: [(type: String, schema: String)] = [("application/json", "AlertEndpoint")]
        let patch: [(type: String, schema: String)] = [
            ("application/merge-patch+json", "Patch"), ("application/json", "Patch"),
        ]
        let changing = [dryRun, ifMatch] + command
        return [
            read(
                "", id: "listAlertEndpoints", summary: "Every one there is, with how it fares.",
                parameters: paging, schema: "AlertEndpoints"
            ) { request throws(Problem) in
                try await routes.read(.endpoints, request)
            },
            write(
                routes, "", id: "createAlertEndpoint",
                summary: "Make an endpoint; a webhook's answer alone holds its secret.",
                parameters: changing, body: record, success: (201, "AlertEndpoint")
            ) { _ in .create },
            read(
                "/{id}", id: "getAlertEndpoint", summary: "One of them, with its ETag.",
                schema: "AlertEndpoint"
            ) { request throws(Problem) in
                try await routes.read(.endpoint(request.parameter(0)), request)
            },
            write(
                routes, "/{id}", method: .PUT, id: "putAlertEndpoint",
                summary: "Make it, or replace all of it.", parameters: changing, body: record,
                success: (200, "AlertEndpoint"), mayCreate: true
            ) { .put($0.parameter(0)) },
            write(
                routes, "/{id}", method: .PATCH, id: "patchAlertEndpoint",
                summary: "Change some of it (RFC 7396: null removes a member).",
                parameters: changing, body: patch, success: (200, "AlertEndpoint")
            ) { .patch($0.parameter(0)) },
            write(
                routes, "/{id}", method: .DELETE, id: "deleteAlertEndpoint",
                summary: "End it; what waits for it is cancelled.", parameters: changing,
                success: (200, "Any")
            ) { .delete($0.parameter(0)) },
        ]
    }

    private static func endpointActions(_ routes: AlertEndpointRoutes) -> [Route] {
        [
            write(
                routes, "/{id}/secret", id: "rotateAlertSecret",
                summary: "Another signing secret; the one before signs too for 24 hours.",
                success: (201, "AlertSecret")
            ) { .rotateSecret($0.parameter(0)) },
            write(
                routes, "/{id}/test", id: "testAlertEndpoint",
                summary: "Send one message now, and tell what came of it.", parameters: command,
                success: (200, "AlertTest")
            ) { .test($0.parameter(0)) },
            write(
                routes, "/{id}/enable", id: "enableAlertEndpoint",
                summary: "Take a disabled or failing endpoint up again, at once.",
                success: (200, "AlertEndpoint")
            ) { .enable($0.parameter(0)) },
            write(
                routes, "/{id}/resend", id: "resendAlerts",
                summary: "Send what happened in a time again, in order, under the same ids.",
                body: [("application/json", "AlertRange")], success: (202, "AlertsQueued")
            ) { .resendRange($0.parameter(0)) },
        ]
    }

    private static func endpointDeliveries(_ routes: AlertEndpointRoutes) -> [Route] {
        let state = Operation.Parameter(
            name: "state", text: "Only these.", values: AlertDelivery.State.allCases.map(\.rawValue)
        )
        return [
            read(
                "/{id}/deliveries", id: "listAlertDeliveries",
                summary: "What was, is or shall be delivered, the latest first.",
                parameters: [state] + paging, schema: "AlertDeliveries", routes.deliveries),
            read(
                "/{id}/deliveries/{message}", id: "getAlertDelivery",
                summary: "One message's delivery, with its attempts.", schema: "AlertDelivery"
            ) { request throws(Problem) in
                try await routes.read(
                    .delivery(request.parameter(0), message: request.parameter(1)), request)
            },
            write(
                routes, "/{id}/deliveries/{message}/resend", id: "resendAlert",
                summary: "Put one message at the end of the line again.",
                success: (202, "AlertsQueued")
            ) { .resend($0.parameter(0), message: $0.parameter(1)) },
        ]
    }
}
