internal import MeteringModel
internal import MeteringPorts

/// Exports over HTTP: files of statement lines by pages, and what Stripe was told.
struct ExportRoutes: Sendable {
    private let desk: any ExportDesk
    private let trees: TreeGuard

    private static let pageLines = 1...10_000

    init(_ desk: any ExportDesk, _ services: HTTPServices) {
        self.desk = desk
        trees = TreeGuard(access: services.access)
    }

    /// Pages, one after the other, are the file. The header `Tollgate-Next-Cursor` names the next;
    /// the last page has the digest of the whole file instead.
    func statements(_ request: Request) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        guard let month = try query.text("month") else {
            throw .invalid("month", "month is missing (YYYY-MM)")
        }
        let wanted = StatementExportQuery(
            month: month, format: try query.text("format") ?? "csv",
            customer: try customer(query, request), principal: request.principal,
            cursor: try query.text("cursor"),
            limit: try query.integer("limit", in: Self.pageLines, default: 1_000))
        let page: StatementExportPage
        do throws(ControlProblem) {
            page = try await desk.statements(wanted)
        } catch {
            throw Problem(error)
        }
        var head = AnswerHead(status: 200, contentType: page.contentType)
        head.headers.append(
            ("Content-Disposition", "attachment; filename=\"\(page.fileName)\""))
        if let next = page.next { head.headers.append(("Tollgate-Next-Cursor", next)) }
        if let digest = page.digest { head.headers.append(("Tollgate-Export-Digest", digest)) }
        return Answer(head: head, body: page.body)
    }

    func meterEvents(_ request: Request) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        return try await read(
            .meterEvents(state: try query.text("state"), customer: try customer(query, request)),
            query, request)
    }

    func credits(_ request: Request) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        return try await read(
            .meterCredits(customer: try customer(query, request)), query, request)
    }

    func notes(_ request: Request) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        return try await read(.notes(month: try query.text("month")), query, request)
    }

    func resolve(_ request: Request) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        var context = try ControlRequest.context(request, query)
        let body = try ControlRequest.body(request)
        // A reason in the body counts as one in the query does.
        context.reason = context.reason ?? body["reason"]?.text
        guard let verdict = body["as"]?.text else {
            throw .invalid("as", "as is missing: sent or resend")
        }
        let command = ExportCommand(
            operation: .resolve(identifier: request.parameter(0), verdict: verdict),
            context: context)
        do throws(ControlProblem) {
            return Self.answer(try await desk.perform(command))
        } catch {
            throw Problem(error)
        }
    }

    private func customer(
        _ query: Query, _ request: Request
    ) throws(Problem) -> CustomerID? {
        let customer = try query.text("customer").map { CustomerID(rawValue: $0) }
        if let customer { try trees.check(customer, request.principal) }
        return customer
    }

    private func read(
        _ subject: ExportQuery.Subject, _ query: Query, _ request: Request
    ) async throws(Problem) -> Answer {
        let wanted = ExportQuery(
            subject: subject, principal: request.principal, cursor: try query.text("cursor"),
            limit: try query.integer("limit", in: ControlRoutes.pageSizes, default: 100))
        do throws(ControlProblem) {
            return Self.answer(try await desk.read(wanted))
        } catch {
            throw Problem(error)
        }
    }

    private static func answer(_ result: ControlAnswer) -> Answer {
        Answer(head: AnswerHead(status: result.status), body: result.body.canonicalBytes)
    }
}
