internal import MeteringModel
internal import MeteringPorts
internal import NIOCore

/// `/v1/check` and `/v1/consume`: may this customer use n more of this feature?
struct CheckRoutes: Sendable {
    let gate: any EntitlementGate
    let options: HTTPOptions
    let document: DecisionDocument
    let denial: DenialAnswer
    let trees: TreeGuard

    /// How many questions of one consume batch are decided at the same time.
    private static let consumeWidth = 64

    init(_ services: HTTPServices, _ options: HTTPOptions) {
        gate = services.gate
        self.options = options
        document = DecisionDocument(offsetSeconds: options.offsetSeconds)
        denial = DenialAnswer(options: options, document: document)
        trees = TreeGuard(access: services.access)
    }

    // MARK: Check: on the event loop

    func check(_ request: Request, _ writer: inout JSONWriter) throws(Problem) -> AnswerHead {
        let reader = QuestionReader(buffer: request.body, batchCountMax: options.batchCountMax)
        switch try reader.read() {
        case .single(let item):
            return try answer(item.question, asStatus: try wantsStatus(request), request, &writer)
        case .batch(let items):
            writer.object { writer in
                writer.name("\"decisions\":")
                writer.array(items) { writer, item in
                    do throws(Problem) {
                        document.write(try decide(item.question, request), to: &writer)
                    } catch {
                        error.write(to: &writer, requestID: request.requestID)
                    }
                }
            }
            return .ok
        }
    }

    func checkByQuery(
        _ request: Request, _ writer: inout JSONWriter
    ) throws(Problem) -> AnswerHead {
        let query = try Query(request.query)
        let party: EntitlementQuestion.Party
        switch (try query.text("customer"), try query.text("subject")) {
        case (let customer?, nil): party = .customer(CustomerID(rawValue: customer))
        case (nil, let subject?): party = .subject(SubjectID(rawValue: subject))
        default: throw .invalid("customer", "give either customer or subject")
        }
        guard let feature = try query.text("feature") else {
            throw .invalid("feature", "feature is missing")
        }
        var question = EntitlementQuestion(party: party, feature: FeatureKey(rawValue: feature))
        if let text = try query.text("quantity") {
            do throws(DecimalQuantity.Failure) {
                question.quantity = try QuestionReader.bounded(try DecimalQuantity(text))
            } catch {
                throw .invalid("quantity", QuestionReader.explain(error))
            }
        }
        question.domain = try query.text("domain")
        question.region = try query.text("region")
        if let text = try query.text("environment") {
            do throws(BodyFailure) {
                question.environment = try QuestionReader.environment(text)
            } catch {
                throw Problem(error)
            }
        }
        return try answer(question, asStatus: try wantsStatus(request), request, &writer)
    }

    private func decide(
        _ question: EntitlementQuestion, _ request: Request
    ) throws(Problem) -> Decision {
        try trees.check(question.party, request.principal)
        do throws(GateError) {
            return try gate.check(question)
        } catch {
            throw Problem(error)
        }
    }

    private func answer(
        _ question: EntitlementQuestion, asStatus: Bool, _ request: Request,
        _ writer: inout JSONWriter
    ) throws(Problem) -> AnswerHead {
        write(try decide(question, request), asStatus: asStatus, request, &writer)
    }

    /// `?deny=429`: a denial as a status instead of a result.
    private func wantsStatus(_ request: Request) throws(Problem) -> Bool {
        guard let text = request.query, !text.isEmpty else { return false }
        switch try Query(text).text("deny") {
        case nil, "200": return false
        case "429": return true
        default: throw .invalid("deny", "deny must be 200 or 429")
        }
    }

    private func write(
        _ decision: Decision, asStatus: Bool, _ request: Request, _ writer: inout JSONWriter
    ) -> AnswerHead {
        if asStatus, !decision.isAllowed {
            return denial.write(decision, requestID: request.requestID, to: &writer)
        }
        document.write(decision, to: &writer)
        return .ok
    }

    // MARK: Consume: in a task

    func consume(_ request: Request) async throws(Problem) -> Answer {
        let reader = QuestionReader(buffer: request.body, batchCountMax: options.batchCountMax)
        var writer = JSONWriter()
        switch try reader.read() {
        case .single(let item):
            let asStatus = try wantsStatus(request)
            var question = item.question
            try trees.check(question.party, request.principal)
            if question.id == nil { question.id = try Self.idempotencyKey(request) }
            let decision: Decision
            do throws(GateError) {
                decision = try await gate.consume(question)
            } catch {
                throw Problem(error)
            }
            let head = write(decision, asStatus: asStatus, request, &writer)
            return Answer(head: head, body: writer.bytes)
        case .batch(let items):
            let results = await consumeAll(items.map(\.question), for: request.principal)
            writer.object { writer in
                writer.name("\"decisions\":")
                writer.array(results) { writer, result in
                    switch result {
                    case .success(let decision): document.write(decision, to: &writer)
                    case .failure(let problem):
                        problem.write(to: &writer, requestID: request.requestID)
                    }
                }
            }
            return Answer(head: .ok, body: writer.bytes)
        }
    }

    static func idempotencyKey(_ request: Request) throws(Problem) -> String? {
        guard let key = request.idempotencyKey else { return nil }
        guard (1...QuestionReader.nameBytesMax).contains(key.utf8.count) else {
            throw .invalid("Idempotency-Key", "it must have 1 to 256 bytes")
        }
        return key
    }

    private struct Outcome: Sendable {
        var index: Int
        var result: Result<Decision, Problem>
    }

    /// A function of its own, with a struct as its answer: a tuple made in the task's closure under
    /// typed throws came back damaged in release builds of Swift 6.3.1.
    private static func consumeOne(
        _ gate: any EntitlementGate, _ question: EntitlementQuestion, _ index: Int
    ) async -> Outcome {
        let result: Result<Decision, Problem>
        do throws(GateError) {
            result = .success(try await gate.consume(question))
        } catch {
            result = .failure(Problem(error))
        }
        return Outcome(index: index, result: result)
    }

    /// Each question has an outcome of its own. They are charged side by side, so that those that
    /// wait for the log wait together; answers keep the order of the questions.
    private func consumeAll(
        _ questions: [EntitlementQuestion], for principal: Principal
    ) async -> [Result<Decision, Problem>] {
        let gate = self.gate
        return await withTaskGroup(of: Outcome.self) { group in
            var results = [Result<Decision, Problem>?](repeating: nil, count: questions.count)
            var next = 0
            func start() {
                guard next < questions.count else { return }
                let index = next
                let question = questions[index]
                next += 1
                guard trees.allows(question.party, to: principal) else {
                    results[index] = .failure(.wrongCustomer)
                    return start()
                }
                group.addTask { await Self.consumeOne(gate, question, index) }
            }
            for _ in 0..<Self.consumeWidth { start() }
            while let outcome = await group.next() {
                results[outcome.index] = outcome.result
                start()
            }
            return results.compactMap { $0 }
        }
    }
}
