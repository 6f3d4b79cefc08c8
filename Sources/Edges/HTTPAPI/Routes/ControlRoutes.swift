internal import MeteringModel
internal import MeteringPorts
internal import NIOCore
internal import NIOHTTP1

/// The control plane over HTTP: every route is a command or a query, and its answer is passed on.
/// Which records a key that is bound to a customer may see and change is the control plane's to say:
/// it gets the principal with everything it is asked.
struct ControlRoutes: Sendable {
    let control: any ControlPlane

    static let pageSizes = 1...1_000

    init(_ control: any ControlPlane) { self.control = control }

    // MARK: Commands and queries

    func perform(
        _ operation: ControlCommand.Operation, _ request: Request
    ) async throws(Problem) -> Answer {
        let command = try ControlRequest.command(operation, request)
        let result: ControlAnswer
        do throws(ControlProblem) {
            result = try await control.perform(command)
        } catch {
            throw Problem(error)
        }
        var answer = Self.answer(result)
        switch operation {
        case .createKey, .mintToken:
            // The body holds a secret.
            answer.head.headers.append(("Cache-Control", "no-store"))
        default: break
        }
        return answer
    }

    func record(
        _ kind: RecordKind, _ id: String, _ request: Request
    ) async throws(Problem) -> Answer {
        let at = try Query(request.query).time("at")
        return Self.answer(try await read(.record(kind, id), request, at: at))
    }

    /// A list by pages; `?customer=` narrows it where the records are customers'.
    func list(
        _ subject: ControlQuery.Subject, isNarrowed: Bool = false, _ request: Request
    ) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        let customer = isNarrowed ? try Self.customer(query) : nil
        return Self.answer(
            try await read(
                subject, request, at: try query.time("at"), customer: customer,
                cursor: try query.text("cursor"),
                limit: try query.integer("limit", in: Self.pageSizes, default: 100)))
    }

    func plain(
        _ subject: ControlQuery.Subject, _ request: Request, maxAge seconds: Int? = nil
    ) async throws(Problem) -> Answer {
        var answer = Self.answer(try await read(subject, request))
        if let seconds {
            answer.head.headers.append(("Cache-Control", "public, max-age=\(seconds)"))
        }
        return answer
    }

    private func read(
        _ subject: ControlQuery.Subject, _ request: Request, at: Timestamp? = nil,
        customer: CustomerID? = nil, cursor: String? = nil, limit: Int = 100
    ) async throws(Problem) -> ControlAnswer {
        let query = ControlQuery(
            subject: subject, principal: request.principal, at: at, customer: customer,
            cursor: cursor, limit: limit)
        do throws(ControlProblem) {
            return try await control.read(query)
        } catch {
            throw Problem(error)
        }
    }

    private static func customer(_ query: Query) throws(Problem) -> CustomerID? {
        try query.text("customer").map { CustomerID(rawValue: $0) }
    }

    // MARK: Routes of their own

    private static let lines = "application/x-ndjson"

    /// The log of changes, as a page of JSON or, for export, a line each.
    func audit(_ request: Request) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        var kind: RecordKind?
        if let text = try query.text("kind") {
            kind = RecordKind(rawValue: String(text.map { $0 == "-" ? "_" : $0 }))
            if kind == nil {
                let names = RecordKind.allCases.map(\.rawValue).joined(separator: ", ")
                throw .invalid("kind", "kind must be one of \(names)")
            }
        }
        let customer = try Self.customer(query)
        let filter = AuditFilter(
            customer: customer, kind: kind, id: try query.text("id"),
            actor: try query.text("actor"), requestID: try query.text("request_id"),
            from: try query.time("from"), to: try query.time("to"))
        let asLines = request.head.headers["Accept"].contains {
            $0.lowercased().contains(Self.lines)
        }
        let result = try await read(
            .audit(filter), request, customer: customer, cursor: try query.text("cursor"),
            limit: try query.integer("limit", in: Self.pageSizes, default: 100))
        guard asLines else { return Self.answer(result) }
        var body: [UInt8] = []
        for row in result.body["items"]?.elements ?? [] {
            row.write(to: &body)
            body.append(UInt8(ascii: "\n"))
        }
        var head = AnswerHead(status: result.status, contentType: "application/x-ndjson")
        if let next = result.body["next"]?.text {
            head.headers.append(("Tollgate-Next-Cursor", next))
        }
        return Answer(head: head, body: body)
    }

    /// `POST /v1/customers:import`: a customer a line.
    func importCustomers(_ request: Request) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        let context = try ControlRequest.context(request, query)
        let options = ImportOptions(id: try query.text("id"))
        do throws(ControlProblem) {
            return Self.answer(
                try await control.importCustomers(Array(buffer: request.body), options, context))
        } catch {
            throw Problem(error)
        }
    }

    func rollBackImport(_ request: Request) async throws(Problem) -> Answer {
        // A reason in the body counts as one in the query does.
        let command = try ControlRequest.command(.undo(request.parameter(0)), request)
        do throws(ControlProblem) {
            return Self.answer(
                try await control.rollBackImport(request.parameter(0), command.context))
        } catch {
            throw Problem(error)
        }
    }

    /// What a billing system tells us; its signature says that it is the one.
    func webhook(_ system: String, _ request: Request) async throws(Problem) -> Answer {
        let signature = try request.header("Stripe-Signature")
        do throws(ControlProblem) {
            return Self.answer(
                try await control.webhook(
                    system, body: Array(buffer: request.body), signature: signature))
        } catch {
            throw Problem(error)
        }
    }

    private static func answer(_ result: ControlAnswer) -> Answer {
        var head = AnswerHead(status: result.status)
        if let tag = result.entityTag { head.headers.append(("ETag", "\"\(tag)\"")) }
        if let location = result.location { head.headers.append(("Location", location)) }
        return Answer(head: head, body: result.body.canonicalBytes)
    }
}
