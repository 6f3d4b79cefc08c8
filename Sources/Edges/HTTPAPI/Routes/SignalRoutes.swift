internal import MeteringModel
internal import MeteringPorts
internal import NIOCore

/// Signals over HTTP: what the ledger makes customer success and sales look at, and what they did
/// about it. Which of them a bound key may see is the desk's to say.
struct SignalRoutes: Sendable {
    let desk: any SignalDesk

    private static let pageSizes = 1...1_000

    init(_ desk: any SignalDesk) { self.desk = desk }

    func list(_ request: Request) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        let kind: SignalKind? = try Self.choice("kind", query) { SignalKind(rawValue: $0) }
        let severity: SignalSeverity? = try Self.choice("min_severity", query, word: \.word) {
            SignalSeverity($0)
        }
        let state: SignalQuery.State? = try Self.choice("state", query) {
            SignalQuery.State(rawValue: $0)
        }
        let question = SignalQuery(
            kind: kind, customer: try query.text("customer").map { CustomerID(rawValue: $0) },
            owner: try query.text("owner"),
            plan: try query.text("plan").map { PlanKey(rawValue: $0) }, state: state ?? .open,
            severityMin: severity ?? .low, cursor: try query.text("cursor"),
            limit: try query.integer("limit", in: Self.pageSizes, default: 50),
            principal: request.principal)
        return try await answer { () throws(ControlProblem) in try await desk.list(question) }
    }

    func one(_ request: Request) async throws(Problem) -> Answer {
        try await answer { () throws(ControlProblem) in
            try await desk.signal(request.parameter(0), request.principal)
        }
    }

    func act(
        _ action: SignalCommand.Action, _ request: Request
    ) async throws(Problem) -> Answer {
        var context = try ControlRequest.context(request, try Query(request.query))
        var members = try ControlRequest.body(request)
        if let reason = members.removeValue(forKey: "reason") {
            guard reason.text != nil || reason.isNull else {
                throw .invalid("reason", "reason must be a string")
            }
            context.reason = context.reason ?? reason.text
        }
        let command = SignalCommand(
            action: action, id: request.parameter(0), body: .object(members), context: context,
            digest: ControlRequest.digest(of: request))
        return try await answer { () throws(ControlProblem) in try await desk.act(command) }
    }

    func refresh(_ request: Request) async throws(Problem) -> Answer {
        let customer = try Query(request.query).text("customer").map { CustomerID(rawValue: $0) }
        return try await answer { () throws(ControlProblem) in
            try await desk.refresh(customer, request.principal)
        }
    }

    // MARK: parts

    private func answer(
        _ body: () async throws(ControlProblem) -> ControlAnswer
    ) async throws(Problem) -> Answer {
        do throws(ControlProblem) {
            let result = try await body()
            return Answer(
                head: AnswerHead(status: result.status), body: result.body.canonicalBytes)
        } catch {
            throw Problem(error)
        }
    }

    private static func choice<Value: CaseIterable & RawRepresentable<String>>(
        _ name: String, _ query: Query, _ make: (String) -> Value?
    ) throws(Problem) -> Value? {
        try choice(name, query, word: \.rawValue, make)
    }

    private static func choice<Value: CaseIterable>(
        _ name: String, _ query: Query, word: (Value) -> String, _ make: (String) -> Value?
    ) throws(Problem) -> Value? {
        guard let text = try query.text(name) else { return nil }
        guard let value = make(text) else {
            let words = Value.allCases.map(word).joined(separator: ", ")
            throw .invalid(name, "\(name) must be one of \(words)")
        }
        return value
    }
}

/// Past usage under a draft of the catalog.
struct SimulationRoutes: Sendable {
    let simulation: any PlanSimulating

    private static let pageSizes = 1...500

    init(_ simulation: any PlanSimulating) { self.simulation = simulation }

    func simulate(_ request: Request) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        guard let from = try query.time("from"), let to = try query.time("to") else {
            throw .invalid(
                "from", "from and to say which usage is scored again, e.g. 2026-10-01T00:00:00Z")
        }
        guard request.body.readableBytes > 0, UTF8Check.isValid(request.body.readableBytesSpan)
        else {
            throw Problem(
                status: 400, code: "malformed", detail: "the body must hold a catalog in UTF-8")
        }
        let question = SimulationQuery(
            window: Period(start: from, end: to),
            customer: try query.text("customer").map { CustomerID(rawValue: $0) },
            cursor: try query.text("cursor"),
            limit: try query.integer("limit", in: Self.pageSizes, default: 100),
            principal: request.principal)
        do throws(SimulationFailure) {
            let result = try await simulation.simulate(String(buffer: request.body), question)
            return Answer(
                head: AnswerHead(status: result.status), body: result.body.canonicalBytes)
        } catch {
            switch error {
            case .draft(let problems): throw Problem(problems)
            case .problem(let problem): throw Problem(problem)
            }
        }
    }
}
