internal import MeteringModel
internal import MeteringPorts

/// Statements over HTTP: every route is a command or a query of the desk, and its answer is passed
/// on.
struct BillingRoutes: Sendable {
    let desk: any BillingDesk

    init(_ desk: any BillingDesk) { self.desk = desk }

    func statements(_ request: Request) async throws(Problem) -> Answer {
        try await page(.statementsOf(request.customer), request)
    }

    func statement(_ request: Request) async throws(Problem) -> Answer {
        let isExplained = try Query(request.query).flag("explain")
        return try await read(
            .statement(
                request.customer, month: request.parameter(1), isExplained: isExplained), request)
    }

    func events(_ request: Request) async throws(Problem) -> Answer {
        guard let line = try Query(request.query).text("line") else {
            throw .invalid("line", "line is missing (the id of a line of the statement)")
        }
        return try await page(
            .events(request.customer, month: request.parameter(1), line: line), request)
    }

    func allStatements(_ request: Request) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        return try await page(
            .statements(month: try query.text("month"), state: try query.text("state")), request)
    }

    func check(_ request: Request) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        return try await read(
            .check(
                month: try query.text("month"),
                customer: try query.text("customer").map { CustomerID(rawValue: $0) }), request)
    }

    func close(_ request: Request) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        var context = try ControlRequest.context(request, query)
        // A reason in the body counts as one in the query does.
        let body = try ControlRequest.body(request)
        try Self.requireReasonOnly(body)
        context.reason = context.reason ?? body["reason"]?.text
        let command = BillingCommand(
            operation: .close(
                month: request.parameter(0),
                customer: try query.text("customer").map { CustomerID(rawValue: $0) }),
            context: context, digest: ControlRequest.digest(of: request))
        do throws(ControlProblem) {
            return Self.answer(try await desk.perform(command))
        } catch {
            throw Problem(error)
        }
    }

    /// A month that is closed for everybody stays closed: whoever meant one customer must be told.
    private static func requireReasonOnly(_ body: [String: JSONValue]) throws(Problem) {
        for name in body.keys.sorted() where name != "reason" {
            let help =
                name == "customer"
                ? "name the customer in the query: ?customer=ID" : "a body has only \"reason\""
            throw Problem(
                ControlProblem(
                    .invalid, "unknown_member",
                    "there is no member \"\(name.prefix(100))\" here; \(help)",
                    field: String(name.prefix(100))))
        }
    }

    private func page(
        _ subject: BillingQuery.Subject, _ request: Request
    ) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        return try await read(
            subject, request, cursor: try query.text("cursor"),
            limit: try query.integer("limit", in: ControlRoutes.pageSizes, default: 100))
    }

    private func read(
        _ subject: BillingQuery.Subject, _ request: Request, cursor: String? = nil,
        limit: Int = 100
    ) async throws(Problem) -> Answer {
        do throws(ControlProblem) {
            return Self.answer(
                try await desk.read(
                    BillingQuery(
                        subject: subject, principal: request.principal, cursor: cursor,
                        limit: limit)))
        } catch {
            throw Problem(error)
        }
    }

    private static func answer(_ result: ControlAnswer) -> Answer {
        Answer(head: AnswerHead(status: result.status), body: result.body.canonicalBytes)
    }
}
