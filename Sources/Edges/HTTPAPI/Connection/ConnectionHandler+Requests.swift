internal import MeteringPorts
internal import NIOCore
internal import NIOHTTP1

// From parser parts to answers.
extension ConnectionHandler {
    func receive(_ head: HTTPRequestHead) {
        let facts = HeadFacts(head)
        var exchange = Exchange(
            routeIndex: -1, isKeepAlive: head.isKeepAlive && !facts.asksForUpgrade,
            isOldVersion: head.version.minor == 0, isHead: head.method == .HEAD,
            requestID: facts.requestID)
        let (path, query) = RequestCheck.split(head.uri)
        let route: Route
        let parameters: [String]
        switch router.match(head.method, path) {
        case .found(let found, let index, let values):
            (route, parameters) = (found, values)
            exchange.routeIndex = index
        case .methodNotAllowed(let allow):
            return refuse(RequestCheck.methodNotAllowed(allow), exchange, facts)
        case .notFound: return refuse(RequestCheck.notFound(path), exchange, facts)
        }
        let limit = RequestCheck.bodyLimit(of: route, facts, edge.options)
        if let problem = RequestCheck.problem(head, facts, bodyLimit: limit) {
            return refuse(problem, exchange, facts)
        }
        let principal: Principal
        do throws(Problem) {
            principal = try edge.admit(
                facts, route, parameters, isLoopback: isLoopback,
                address: { context?.remoteAddress?.ipAddress })
        } catch {
            return refuse(error, exchange, facts)
        }
        if route.bodyLimit == .bulk { exchange.budget = .bulk }
        current = IncomingRequest(
            head: head, route: route, parameters: parameters, query: query, principal: principal,
            facts: facts, exchange: exchange, bodyLimit: limit)
        enter(.receivingBody)
        if facts.expect != nil {
            current?.owesContinue = true
            sendContinueIfOwed()
        }
    }

    /// `100 Continue` may not overtake the answers to earlier requests.
    func sendContinueIfOwed() {
        guard current?.owesContinue == true, answers.isEmpty else { return }
        current?.owesContinue = false
        out.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n")
        flush()
    }

    func receive(_ bytes: ByteBuffer) {
        current?.append(bytes)
        guard let current else { return }
        if !current.fitsLimit {
            let problem = RequestCheck.tooLarge(limit: current.bodyLimit)
            return refuse(problem, abandonBody(), thenCloses: true)
        }
        let missing = current.unreservedBytes
        if missing == 0 { return }
        if edge.reserve(bytes: missing, from: current.exchange.budget) {
            self.current?.exchange.reservedBytes += missing
        } else {
            refuse(RequestCheck.overloaded, abandonBody(), thenCloses: true)
        }
    }

    /// Forgets a body that will not be used and gives its memory back.
    /// - Returns: the exchange of its request, for the answer.
    @discardableResult
    func abandonBody() -> Exchange {
        guard var exchange = current?.exchange else { return RequestCheck.brokenExchange }
        current = nil
        edge.release(exchange)
        exchange.reservedBytes = 0
        return exchange
    }

    func receiveEnd() {
        switch phase {
        case .receivingBody:
            guard let incoming = current else { return }
            current = nil
            enter(incoming.exchange.isKeepAlive ? .awaitingHead : .finished)
            dispatch(incoming)
        case .droppingBody: enter(.awaitingHead)
        case .awaitingHead, .finished, .lingering: break
        }
    }

    private func dispatch(_ incoming: IncomingRequest) {
        var incoming = incoming
        if let query = incoming.query, let problem = incoming.route.problem(with: query) {
            incoming.exchange.requestID = incoming.exchange.requestID ?? loop.makeRequestID()
            edge.release(incoming.exchange)
            incoming.exchange.reservedBytes = 0
            return refuse(problem, incoming.exchange)
        }
        switch incoming.route.handler {
        case .immediate(let handle):
            let start = incoming.route.isCheck ? NIODeadline.now().uptimeNanoseconds : 0
            writer.clear()
            if incoming.query != nil, incoming.exchange.requestID == nil {
                // May end in a problem document that names its request.
                incoming.exchange.requestID = loop.makeRequestID()
            }
            let head: AnswerHead
            do throws(Problem) {
                head = try handle(incoming.request, &writer)
            } catch {
                return refuse(error, incoming.exchange)
            }
            answer(head, incoming.exchange)
            if incoming.route.isCheck {
                let end = NIODeadline.now().uptimeNanoseconds
                loop.metrics.countCheck(nanoseconds: end - start)
            }
        case .asynchronous(let handle):
            guard edge.enter() else { return refuse(RequestCheck.overloaded, incoming.exchange) }
            let requestID = incoming.exchange.requestID ?? loop.makeRequestID()
            incoming.exchange.requestID = requestID
            run(handle, incoming.request, requestID, incoming.exchange)
        }
    }

    private func run(
        _ handle: @escaping @Sendable (Request) async throws(Problem) -> Answer,
        _ request: Request, _ requestID: String, _ exchange: Exchange
    ) {
        guard let eventLoop = context?.eventLoop else {
            edge.release(exchange)
            return edge.leave()
        }
        let ticket = answers.append(exchange)
        let handler = NIOLoopBound(self, eventLoop: eventLoop)
        let edge = self.edge
        Task {
            let answer: Answer
            do throws(Problem) {
                answer = try await handle(request)
            } catch {
                var writer = JSONWriter()
                error.write(to: &writer, requestID: requestID)
                answer = Answer(head: error.head, body: writer.bytes)
            }
            edge.leave()
            edge.release(exchange)
            eventLoop.execute { handler.value.complete(ticket, answer) }
        }
    }

    // MARK: Answers

    /// A task is back. The connection may be gone by now; then nobody is left to tell.
    private func complete(_ ticket: Int, _ answer: Answer) {
        guard context != nil else { return }
        answers.fill(ticket, answer)
        while let (exchange, answer) = answers.next() {
            put(answer.head, answer.body, exchange)
        }
        sendContinueIfOwed()
        if !isInBurst { flush() }
        resumeReading()
    }

    /// Answers with what stands in `writer`.
    private func answer(_ head: AnswerHead, _ exchange: Exchange) {
        edge.release(exchange)
        if answers.isEmpty {
            put(head, writer.bytes, exchange)
        } else {
            _ = answers.append(exchange, answer: Answer(head: head, body: writer.bytes))
        }
    }

    private func put(_ head: AnswerHead, _ body: [UInt8], _ exchange: Exchange) {
        // The operator's port has routes of its own, which nobody needs counted.
        if !isAdmin {
            loop.metrics.countRequest(routeIndex: exchange.routeIndex, status: head.status)
        }
        if edge.isDraining, !isAdmin, answers.isEmpty, phase == .awaitingHead { enter(.finished) }
        let closes = answers.isEmpty && phase == .finished
        AnswerEncoder.write(
            head, body: body, exchange: exchange, closes: closes, dateLine: loop.dateLine, to: &out)
    }

    /// Refuses a request at its head. A small body is read and dropped, so that the connection
    /// lives on; a large one, or one that the client may never send, ends it.
    private func refuse(_ problem: Problem, _ exchange: Exchange, _ facts: HeadFacts) {
        let isSmall = !facts.isChunked && (facts.contentLength ?? 0) <= edge.options.bodyBytesMax
        let closes = !exchange.isKeepAlive || facts.expect != nil || !isSmall
        if !closes { enter(.droppingBody) }
        refuse(problem, exchange, thenCloses: closes)
    }

    func refuse(_ problem: Problem, _ exchange: Exchange, thenCloses: Bool = false) {
        var exchange = exchange
        let requestID = exchange.requestID ?? loop.makeRequestID()
        exchange.requestID = requestID
        if thenCloses { enter(.finished) }
        writer.clear()
        problem.write(to: &writer, requestID: requestID)
        answer(problem.head, exchange)
    }
}
