internal import MeteringPorts
internal import NIOHTTP1

extension RouteTable {
    static func signals(_ routes: SignalRoutes) -> [Route] {
        [
            Route(
                method: .GET, pattern: "/v1/signals", scope: .readUsage, reach: .tree,
                bodyLimit: .none,
                operation: Operation(
                    id: "listSignals",
                    summary: "What customer success and sales should look at, and why.",
                    parameters: [
                        .init(
                            name: "kind", text: "Only these.",
                            values: SignalKind.allCases.map(\.rawValue)),
                        .init(name: "customer", text: "Only this one's."),
                        .init(
                            name: "owner",
                            text: "Who was assigned, or else looks after the customer."),
                        .init(name: "plan", text: "Only customers on this plan."),
                        .init(
                            name: "state",
                            text: "Open when absent: neither acknowledged nor snoozed.",
                            values: SignalQuery.State.allCases.map(\.rawValue)),
                        .init(
                            name: "min_severity", text: "At least so severe.",
                            values: SignalSeverity.allCases.map(\.word)),
                    ] + paging,
                    success: (200, "Signals"), problems: [400, 403, 404, 503]),
                handler: .asynchronous(routes.list)),
            Route(
                method: .GET, pattern: "/v1/signals/{id}", scope: .readUsage, reach: .tree,
                bodyLimit: .none,
                operation: Operation(
                    id: "getSignal", summary: "One of them, with what people did about it.",
                    success: (200, "Signal"), problems: [404, 503]),
                handler: .asynchronous(routes.one)),
            action(
                routes, .acknowledge, "Seen: it leaves the list until it gets worse.", nil),
            action(
                routes, .snooze, "Out of the list until a time, or the quota's next threshold.",
                "SignalSnooze"),
            action(routes, .assign, "Somebody's from now on; null: nobody's.", "SignalOwner"),
            action(routes, .note, "A remark, kept with who wrote it and when.", "SignalNote"),
            Route(
                method: .POST, pattern: "/v1/signals/refresh", scope: .writeLimits, reach: .tree,
                operation: Operation(
                    id: "refreshSignals",
                    summary: "Compute one customer's signals now, or begin a sweep over all.",
                    parameters: [.init(name: "customer", text: "Only this one's.")],
                    success: (200, "SignalsRefreshed"), problems: [400, 403, 404, 503]),
                handler: .asynchronous(routes.refresh)),
        ]
    }

    private static func action(
        _ routes: SignalRoutes, _ action: SignalCommand.Action, _ summary: String,
        _ schema: String?
    ) -> Route {
        Route(
            method: .POST, pattern: "/v1/signals/{id}/\(action.rawValue)", scope: .writeLimits,
            reach: .tree,
            operation: Operation(
                id: action.rawValue + "Signal", summary: summary,
                parameters: [dryRun] + command, request: [("application/json", schema ?? "Why")],
                isRequestRequired: schema != nil, success: (200, "Signal"),
                problems: [400, 404, 409, 413, 422, 503]),
            handler: .asynchronous { request throws(Problem) in
                try await routes.act(action, request)
            })
    }

    static func simulations(_ routes: SimulationRoutes) -> [Route] {
        [
            Route(
                method: .POST, pattern: "/v1/simulations", scope: .readUsage, bodyLimit: .batch,
                operation: Operation(
                    id: "simulatePlans",
                    summary: "Past usage under a draft of the catalog; changes nothing.",
                    parameters: [
                        .init(name: "from", text: "First instant, RFC 3339.", isRequired: true),
                        .init(
                            name: "to", text: "First instant after, RFC 3339; not ahead.",
                            isRequired: true),
                        .init(name: "customer", text: "Only this one."),
                        .init(
                            name: "limit", type: "integer",
                            text: "Customers of a page, up to 500."),
                        .init(name: "cursor", text: "The next of the page before."),
                    ],
                    request: [("application/yaml", "YAML")], success: (200, "Simulation"),
                    problems: [400, 403, 404, 413, 422, 503]),
                handler: .asynchronous(routes.simulate))
        ]
    }
}
