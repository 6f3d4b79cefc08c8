internal import MeteringModel
internal import MeteringPorts
internal import NIOHTTP1

/// Alert endpoints over HTTP: every route is a command or a query of the desk.
struct AlertEndpointRoutes: Sendable {
    let desk: any AlertDesk

    init(_ desk: any AlertDesk) { self.desk = desk }

    func perform(
        _ operation: AlertCommand.Operation, _ request: Request
    ) async throws(Problem) -> Answer {
        // Read as any command is; only what is done with it differs.
        let command = try ControlRequest.command(.undo(""), request)
        do throws(ControlProblem) {
            let result = try await desk.perform(
                AlertCommand(
                    operation: operation, body: command.body, context: command.context,
                    digest: command.digest))
            var answer = Self.answer(result)
            if result.body["secret"] != nil {
                answer.head.headers.append(("Cache-Control", "no-store"))
            }
            return answer
        } catch {
            throw Problem(error)
        }
    }

    func read(
        _ subject: AlertQuery.Subject, _ request: Request
    ) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        let question = AlertQuery(
            subject: subject, principal: request.principal, cursor: try query.text("cursor"),
            limit: try query.integer("limit", in: ControlRoutes.pageSizes, default: 100))
        do throws(ControlProblem) {
            return Self.answer(try await desk.read(question))
        } catch {
            throw Problem(error)
        }
    }

    func deliveries(_ request: Request) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        var state: AlertDelivery.State?
        if let text = try query.text("state") {
            state = AlertDelivery.State(rawValue: text)
            if state == nil {
                let names = AlertDelivery.State.allCases.map(\.rawValue).joined(separator: ", ")
                throw .invalid("state", "state must be one of \(names)")
            }
        }
        return try await read(.deliveries(request.parameter(0), state: state), request)
    }

    private static func answer(_ result: ControlAnswer) -> Answer {
        var head = AnswerHead(status: result.status)
        if let tag = result.entityTag { head.headers.append(("ETag", "\"\(tag)\"")) }
        if let location = result.location { head.headers.append(("Location", location)) }
        return Answer(head: head, body: result.body.canonicalBytes)
    }
}
