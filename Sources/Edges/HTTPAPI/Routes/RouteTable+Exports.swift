internal import MeteringPorts
internal import NIOHTTP1

// Files of statements, and what billing systems outside were told.
extension RouteTable {
    static func exports(_ routes: ExportRoutes) -> [Route] {
        statementExports(routes) + stripeExports(routes)
    }

    private static let exportCustomer = Operation.Parameter(
        name: "customer", text: "Only this one's.")

    private static func statementExports(_ routes: ExportRoutes) -> [Route] {
        [
            Route(
                method: .GET, pattern: "/v1/statements/export", scope: .readUsage, reach: .tree,
                bodyLimit: .none,
                operation: Operation(
                    id: "exportStatements",
                    summary: "Lines of a month's closed statements as a file, by pages: "
                        + "Tollgate-Next-Cursor names the next page.",
                    parameters: [
                        .init(name: "month", text: "YYYY-MM.", isRequired: true),
                        .init(
                            name: "format", text: "csv when absent; focus is FOCUS 1.2 as CSV.",
                            values: ["csv", "ndjson", "focus"]),
                        exportCustomer,
                        .init(
                            name: "limit", type: "integer",
                            text: "Lines of a page, up to 10000; 1000 when absent."),
                        .init(name: "cursor", text: "The Tollgate-Next-Cursor of the page before."),
                    ],
                    success: (200, "StatementFile"), successType: "text/csv",
                    problems: [400, 403, 503]),
                handler: .asynchronous(routes.statements)),
            Route(
                method: .GET, pattern: "/v1/exports/statements", scope: .readUsage,
                bodyLimit: .none,
                operation: Operation(
                    id: "listStatementExports",
                    summary: "Files of statements that were handed out whole, oldest first.",
                    parameters: [.init(name: "month", text: "Only this one's, YYYY-MM.")] + paging,
                    success: (200, "StatementExportList"), problems: [400, 503]),
                handler: .asynchronous(routes.notes)),
        ]
    }

    private static func stripeExports(_ routes: ExportRoutes) -> [Route] {
        let collection = "/v1/exports/stripe"
        return [
            Route(
                method: .GET, pattern: collection, scope: .readUsage, reach: .tree,
                bodyLimit: .none,
                operation: Operation(
                    id: "listMeterEvents",
                    summary: "Usage that Stripe was told, or is to be, oldest first.",
                    parameters: [
                        .init(
                            name: "state", text: "Only those.",
                            values: [
                                "planned", "sent", "uncertain", "refused", "too_old", "replaced",
                            ]), exportCustomer,
                    ] + paging,
                    success: (200, "MeterEventList"), problems: [400, 403, 503]),
                handler: .asynchronous(routes.meterEvents)),
            Route(
                method: .GET, pattern: collection + "/credits", scope: .readUsage, reach: .tree,
                bodyLimit: .none,
                operation: Operation(
                    id: "listMeterCredits",
                    summary: "Units that Stripe was told and that were taken back since.",
                    parameters: [exportCustomer] + paging,
                    success: (200, "MeterCreditList"), problems: [400, 403, 503]),
                handler: .asynchronous(routes.credits)),
            Route(
                method: .POST, pattern: collection + "/{identifier}/resolve", scope: .admin,
                operation: Operation(
                    id: "resolveMeterEvent",
                    summary: "Settle an event that is uncertain, refused or too old.",
                    parameters: command, request: [("application/json", "ResolveMeterEvent")],
                    success: (200, "MeterEvent"), problems: [400, 403, 404, 409, 422, 503]),
                handler: .asynchronous(routes.resolve)),
        ]
    }
}
