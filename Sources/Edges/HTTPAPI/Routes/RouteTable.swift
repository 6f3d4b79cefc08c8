internal import MeteringModel
internal import MeteringPorts
internal import NIOHTTP1

/// Every route there is. The OpenAPI document is made from this table.
enum RouteTable {
    static func api(_ services: HTTPServices, _ options: HTTPOptions) -> [Route] {
        let table =
            checks(CheckRoutes(services, options))
            + reservations(ReservationRoutes(services, options))
            + events(EventRoutes(services, options), DeadLetterRoutes(services))
            + tail(TailRoutes(services))
            + customers(CustomerRoutes(services, options))
            + reports(ReportRoutes(services, options))
            + catalog(CatalogRoutes(services))
            + (services.control.map { control(ControlRoutes($0)) } ?? [])
            + (services.corrections.map { corrections(CorrectionRoutes($0)) } ?? [])
            + (services.billing.map { billing(BillingRoutes($0)) } ?? [])
            + (services.exports.map { exports(ExportRoutes($0, services)) } ?? [])
            + (services.alerts.map { alertEndpoints(AlertEndpointRoutes($0)) } ?? [])
            + (services.signals.map { signals(SignalRoutes($0)) } ?? [])
            + (services.simulation.map { simulations(SimulationRoutes($0)) } ?? [])
        let document = OpenAPIDocument.json(table + [openAPI(body: "")], version: options.version)
        return table + [openAPI(body: document)]
    }

    private static func checks(_ routes: CheckRoutes) -> [Route] {
        let deny = Operation.Parameter(
            name: "deny", text: "429: a denial answers with that status instead of 200.",
            values: ["200", "429"])
        let query: [Operation.Parameter] = [
            .init(name: "customer", text: "The customer; or give subject."),
            .init(name: "subject", text: "A subject of the customer, such as its API key."),
            .init(name: "feature", text: "The feature.", isRequired: true),
            .init(name: "quantity", text: "How many more; 1 when absent."),
            .init(name: "domain", text: "Host name of the use, for bound entitlements."),
            .init(name: "region", text: "Region of the use, for bound entitlements."),
            .init(
                name: "environment", text: "Whose counters; production when absent.",
                values: Environment.allCases.map(\.rawValue)),
        ]
        return [
            Route(
                method: .POST, pattern: "/v1/check", scope: .check, reach: .tree, rate: .check,
                isCheck: true,
                operation: Operation(
                    id: "check",
                    summary: "May this customer use so many more? Charges nothing.",
                    parameters: [deny], request: [("application/json", "Check")],
                    success: (200, "DecisionOrDecisions"), problems: [400, 404, 413, 429, 503]),
                handler: .immediate(routes.check)),
            Route(
                method: .GET, pattern: "/v1/check", scope: .check, reach: .tree, rate: .check,
                bodyLimit: .none, isCheck: true,
                operation: Operation(
                    id: "checkByQuery", summary: "The same question as a query.",
                    parameters: query + [deny], problems: [400, 404, 429, 503]),
                handler: .immediate(routes.checkByQuery)),
            Route(
                method: .POST, pattern: "/v1/consume", scope: .check, reach: .tree, rate: .check,
                operation: Operation(
                    id: "consume",
                    summary: "Decision and charge in one step; one charge per id.",
                    parameters: [deny], request: [("application/json", "Check")],
                    success: (200, "DecisionOrDecisions"),
                    problems: [400, 404, 409, 413, 429, 503]),
                handler: .asynchronous(routes.consume)),
        ]
    }

    private static func reservations(_ routes: ReservationRoutes) -> [Route] {
        [
            Route(
                method: .POST, pattern: "/v1/reservations", scope: .check, reach: .tree,
                rate: .check,
                operation: Operation(
                    id: "reserve", summary: "Hold part of a quota for a while.",
                    request: [("application/json", "Question")], success: (200, "Reservation"),
                    problems: [400, 404, 409, 503]),
                handler: .asynchronous(routes.reserve)),
            Route(
                method: .POST, pattern: "/v1/reservations/{id}/commit", scope: .check, reach: .tree,
                rate: .check,
                operation: Operation(
                    id: "commitReservation",
                    summary: "Charge what was really used and free the rest.",
                    request: [("application/json", "Commit")], isRequestRequired: false,
                    success: (200, "Reservation"), problems: [400, 404, 409, 503]),
                handler: .asynchronous(routes.commit)),
            Route(
                method: .POST, pattern: "/v1/reservations/{id}/release", scope: .check,
                reach: .tree, rate: .check,
                operation: Operation(
                    id: "releaseReservation", summary: "Free all that was held.",
                    success: (200, "Reservation"), problems: [404, 409, 503]),
                handler: .asynchronous(routes.release)),
        ]
    }

    private static func tail(_ routes: TailRoutes) -> [Route] {
        [
            Route(
                method: .GET, pattern: "/v1/events", scope: .readUsage, bodyLimit: .none,
                operation: Operation(
                    id: "tailEvents", summary: "Events as they are read from the log.",
                    parameters: [
                        .init(
                            name: "after", type: "integer",
                            text: "The `next` of the answer before; 0 or absent: from now on."),
                        .init(name: "limit", type: "integer", text: "At most so many."),
                    ],
                    success: (200, "TailedEvents"), problems: [400]),
                handler: .asynchronous(routes.list))
        ]
    }

    private static func events(_ events: EventRoutes, _ letters: DeadLetterRoutes) -> [Route] {
        let kind = Operation.Parameter(
            name: "kind", text: "Only these.", values: ["dead_letter", "quarantine"])
        return [
            Route(
                method: .POST, pattern: "/v1/events", scope: .writeEvents, reach: .tree,
                rate: .check, bodyLimit: .batch,
                operation: Operation(
                    id: "recordEvents",
                    summary: "Record CloudEvents; answers once they are durable.",
                    parameters: [
                        .init(
                            name: "backfill", type: "boolean",
                            text: "Count old events in their own periods.")
                    ],
                    request: [
                        ("application/cloudevents+json", "Event"),
                        ("application/cloudevents-batch+json", "Events"),
                        ("application/json", "EventOrEvents"),
                    ],
                    success: (202, "Verdict"), problems: [400, 413, 415, 503]),
                handler: .asynchronous(events.post)),
            Route(
                method: .GET, pattern: "/v1/dead-letters", scope: .readUsage, bodyLimit: .none,
                operation: Operation(
                    id: "listDeadLetters", summary: "Events that could not be counted, and why.",
                    parameters: [kind] + paging, success: (200, "SetAsideEvents"),
                    problems: [400, 503]),
                handler: .asynchronous(letters.list)),
            Route(
                method: .POST, pattern: "/v1/dead-letters/redrive", scope: .admin,
                operation: Operation(
                    id: "redriveDeadLetters", summary: "Send set-aside events round again.",
                    parameters: [kind, paging[0]], request: [("application/json", "Redrive")],
                    isRequestRequired: false, success: (200, "Redriven"), problems: [400, 503]),
                handler: .asynchronous(letters.redrive)),
        ]
    }

    private static func customers(_ routes: CustomerRoutes) -> [Route] {
        [
            Route(
                method: .GET, pattern: "/v1/customers/{id}/entitlements", scope: .readUsage,
                reach: .tree,
                bodyLimit: .none,
                operation: Operation(
                    id: "listEntitlements", summary: "What a customer may use, and from where.",
                    parameters: [at],
                    success: (200, "Entitlements"), problems: [400, 404, 503]),
                handler: .asynchronous(routes.entitlements)),
            Route(
                method: .GET, pattern: "/v1/customers/{id}/usage", scope: .readUsage, reach: .tree,
                bodyLimit: .none,
                operation: Operation(
                    id: "usage", summary: "What a customer used, by hour, day or month.",
                    parameters: [
                        .init(
                            name: "feature", text: "A feature, or meter:<key>.", isRequired: true),
                        .init(name: "from", text: "First instant, RFC 3339."),
                        .init(name: "to", text: "First instant after, RFC 3339."),
                        .init(
                            name: "window", text: "Day when absent.",
                            values: ["hour", "day", "month"]),
                        .init(name: "group_by", text: "Dimensions, separated by commas."),
                        .init(
                            name: "filter",
                            text: "Only usage with these dimension:value, separated by commas or "
                                + "repeated. Values of one dimension are alternatives; dimensions "
                                + "must all match."),
                        .init(
                            name: "limit", type: "integer",
                            text: "At most so many windows, up to 10000."),
                        paging[1],
                    ],
                    success: (200, "Usage"), problems: [400, 404, 503]),
                handler: .asynchronous(routes.usage)),
        ]
    }

    private static func reports(_ routes: ReportRoutes) -> [Route] {
        [
            Route(
                method: .GET, pattern: "/v1/near-limit", scope: .readUsage, reach: .tree,
                bodyLimit: .none,
                operation: Operation(
                    id: "nearLimit", summary: "Customers by share of their limit, largest first.",
                    parameters: [
                        .init(name: "over", text: "Share from which on; 0.8."),
                        .init(name: "customer", text: "Only this one's."),
                        .init(name: "feature", text: "Only of this feature."),
                        .init(name: "plan", text: "Only of customers with this plan."),
                        .init(name: "owner", text: "Only of customers with this owner."),
                    ] + paging,
                    success: (200, "NearLimit"), problems: [400, 503]),
                handler: .asynchronous(routes.nearLimit)),
            Route(
                method: .GET, pattern: "/v1/alerts", scope: .readUsage, reach: .tree,
                bodyLimit: .none,
                operation: Operation(
                    id: "alerts", summary: "Thresholds that were crossed.",
                    parameters: [
                        .init(name: "customer", text: "Only this one's."),
                        .init(name: "since", text: "Crossed at or after, RFC 3339."),
                    ] + paging,
                    success: (200, "Alerts"), problems: [400, 503]),
                handler: .asynchronous(routes.alerts)),
            Route(
                method: .GET, pattern: "/v1/totals", scope: .readUsage, bodyLimit: .none,
                operation: Operation(
                    id: "totals",
                    summary:
                        "All that was ever counted, per customer and meter, in smallest units.",
                    success: (200, "Totals"), problems: [503]),
                handler: .asynchronous(routes.totals)),
            Route(
                method: .POST, pattern: "/v1/reconcile", scope: .admin,
                operation: Operation(
                    id: "reconcile",
                    summary: "Recount from the log and compare with all that is stored.",
                    success: (200, "Reconciliation"), problems: [503]),
                handler: .asynchronous(routes.reconcile)),
        ]
    }

    private static func catalog(_ routes: CatalogRoutes) -> [Route] {
        [
            Route(
                method: .GET, pattern: "/v1/catalog", scope: .readUsage, bodyLimit: .none,
                operation: Operation(
                    id: "catalog",
                    summary: "The catalog in force, as a document that changes nothing.",
                    parameters: [
                        .init(
                            name: "all", type: "boolean",
                            text: "With the customers that no document manages.")
                    ],
                    success: (200, "YAML"), successType: "application/yaml", problems: [422]),
                handler: .asynchronous(routes.current)),
            Route(
                method: .POST, pattern: "/v1/catalog", scope: .admin, bodyLimit: .batch,
                operation: Operation(
                    id: "applyCatalog", summary: "Put another catalog in force.",
                    parameters: [
                        dryRun,
                        .init(
                            name: "prune", type: "boolean",
                            text: "Remove what a document made and this one does not name."),
                        .init(
                            name: "migrate", type: "boolean",
                            text: "Move subscriptions to the latest versions of these plans."),
                        expectedCount,
                    ] + command,
                    request: [("application/yaml", "YAML")], success: (200, "CatalogChange"),
                    problems: [400, 413, 422]),
                handler: .asynchronous(routes.apply)),
        ]
    }

    private static func openAPI(body: String) -> Route {
        Route(
            method: .GET, pattern: "/openapi.json", scope: nil, reach: .common, rate: .none,
            bodyLimit: .none,
            operation: Operation(
                id: "openapi", summary: "This document.", success: (200, "Any"), problems: []),
            handler: .immediate { _, writer in
                writer.raw(body.utf8)
                return .ok
            })
    }

    static func admin(
        _ services: HTTPServices, isDraining: @escaping @Sendable () -> Bool,
        metrics: @escaping @Sendable () -> String
    ) -> [Route] {
        let routes = AdminRoutes(
            operations: services.operations, isDraining: isDraining, edgeMetrics: metrics)
        func route(_ pattern: String, _ handler: Route.Handler) -> Route {
            Route(
                method: .GET, pattern: pattern, scope: nil, reach: .common, rate: .none,
                bodyLimit: .none,
                operation: Operation(id: pattern, summary: ""), handler: handler)
        }
        return [
            route("/healthz", .immediate(routes.health)),
            route("/readyz", .asynchronous(routes.readiness)),
            route("/metrics", .asynchronous(routes.metrics)),
        ]
    }
}
