internal import MeteringModel
internal import MeteringPorts
internal import NIOHTTP1

// Statements, their closing, and the checks that finance makes.
extension RouteTable {
    static func billing(_ routes: BillingRoutes) -> [Route] {
        customerStatements(routes) + [
            Route(
                method: .GET, pattern: "/v1/statements", scope: .readUsage, bodyLimit: .none,
                operation: Operation(
                    id: "listStatements",
                    summary: "Everybody's statements; those not closed yet as of now, by month.",
                    parameters: [
                        .init(name: "month", text: "Only this one's, YYYY-MM."),
                        .init(
                            name: "state", text: "closed when absent.",
                            values: ["open", "grace", "closed"]),
                    ] + paging,
                    success: (200, "StatementList"), problems: [400, 422, 503]),
                handler: .asynchronous(routes.allStatements)),
            Route(
                method: .POST, pattern: "/v1/billing/months/{month}/close", scope: .admin,
                operation: Operation(
                    id: "closeMonth",
                    summary: "Close a month that is over before its grace is; once.",
                    parameters: [.init(name: "customer", text: "Only this one's.")] + command,
                    request: [("application/json", "Why")], isRequestRequired: false,
                    success: (200, "ClosedMonth"), problems: [400, 403, 404, 409, 422, 503]),
                handler: .asynchronous(routes.close)),
            Route(
                method: .GET, pattern: "/v1/billing/check", scope: .readUsage, bodyLimit: .none,
                operation: Operation(
                    id: "checkBilling",
                    summary: "What was billed against what ledger and contracts come to now.",
                    parameters: [
                        .init(name: "month", text: "Only this one, YYYY-MM; all closed otherwise."),
                        .init(name: "customer", text: "Only this one."),
                    ],
                    success: (200, "BillingCheck"), problems: [400, 404, 422, 503]),
                handler: .asynchronous(routes.check)),
        ]
    }

    private static func customerStatements(_ routes: BillingRoutes) -> [Route] {
        let collection = "/v1/customers/{id}/statements"
        return [
            Route(
                method: .GET, pattern: collection, scope: .readUsage, reach: .tree,
                bodyLimit: .none,
                operation: Operation(
                    id: "listCustomerStatements",
                    summary: "A customer's statements: open ones first, then the closed.",
                    parameters: paging, success: (200, "StatementList"),
                    problems: [400, 404, 422, 503]),
                handler: .asynchronous(routes.statements)),
            Route(
                method: .GET, pattern: collection + "/{month}", scope: .readUsage, reach: .tree,
                bodyLimit: .none,
                operation: Operation(
                    id: "getStatement",
                    summary: "A statement with all that explains its lines; YYYY-MM.",
                    parameters: [
                        .init(
                            name: "explain", type: "boolean",
                            text: "With the rollups under each line of usage.")
                    ],
                    success: (200, "Statement"), problems: [400, 404, 422, 503]),
                handler: .asynchronous(routes.statement)),
            Route(
                method: .GET, pattern: collection + "/{month}/events", scope: .readUsage,
                reach: .tree, bodyLimit: .none,
                operation: Operation(
                    id: "listStatementEvents", summary: "The events under a line of usage.",
                    parameters: [
                        .init(name: "line", text: "The line's id.", isRequired: true)
                    ] + paging,
                    success: (200, "StatementEvents"), problems: [400, 404, 422, 503]),
                handler: .asynchronous(routes.events)),
        ]
    }
}
