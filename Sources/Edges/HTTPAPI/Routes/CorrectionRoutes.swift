internal import MeteringModel
internal import MeteringPorts
internal import NIOCore
internal import NIOHTTP1

/// Single events taken out of usage, changed, and put back. Which customers' events a key may
/// correct is the service's to say: it gets the principal.
struct CorrectionRoutes: Sendable {
    let service: any EventCorrecting

    init(_ service: any EventCorrecting) { self.service = service }

    func correct(
        _ action: CorrectionRecord.Action, _ request: Request
    ) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        let members = try ControlRequest.body(request)
        var context = try ControlRequest.context(request, query)
        context.reason = try Self.text("reason", members) ?? context.reason
        let known: Set<String> =
            action == .amend
            ? ["source", "id", "reason", "data", "time", "subject"] : ["source", "id", "reason"]
        if let other = members.keys.filter({ !known.contains($0) }).min() {
            throw .invalid(other, "there is no member \(other) here")
        }
        let order = CorrectionOrder(
            action: action, source: try Self.text("source", members) ?? "",
            eventID: try Self.text("id", members) ?? "", data: members["data"],
            time: try Self.text("time", members), subject: try Self.text("subject", members))
        do throws(ControlProblem) {
            let answer = try await service.correct(
                order, context, digest: ControlRequest.digest(of: request))
            return Self.answer(answer)
        } catch {
            throw Problem(error)
        }
    }

    func list(_ request: Request) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        let customer = try query.text("customer").map { CustomerID(rawValue: $0) }
        let cursor = try query.text("cursor")
        let limit = try query.integer("limit", in: ControlRoutes.pageSizes, default: 100)
        do throws(ControlProblem) {
            return Self.answer(
                try service.corrections(
                    customer: customer, principal: request.principal, cursor: cursor,
                    limit: limit))
        } catch {
            throw Problem(error)
        }
    }

    private static func text(
        _ name: String, _ members: [String: JSONValue]
    ) throws(Problem) -> String? {
        guard let value = members[name], !value.isNull else { return nil }
        guard let text = value.text else { throw .invalid(name, "\(name) must be a string") }
        return text
    }

    private static func answer(_ result: ControlAnswer) -> Answer {
        Answer(head: AnswerHead(status: result.status), body: result.body.canonicalBytes)
    }
}

extension RouteTable {
    static func corrections(_ routes: CorrectionRoutes) -> [Route] {
        func correct(
            _ action: CorrectionRecord.Action, _ summary: String, _ schema: String
        ) -> Route {
            Route(
                method: .POST, pattern: "/v1/events/\(action.rawValue)", scope: .writeLimits,
                reach: .tree,
                operation: Operation(
                    id: "\(action.rawValue)Event", summary: summary,
                    parameters: [dryRun] + command, request: [("application/json", schema)],
                    success: (200, "Correction"), problems: [400, 404, 409, 413, 422, 503]),
                handler: .asynchronous { request throws(Problem) in
                    try await routes.correct(action, request)
                })
        }
        return [
            correct(.void, "Take one counted event out of usage.", "EventReference"),
            correct(.amend, "Count one event with other data, time or subject.", "Amendment"),
            correct(
                .restore, "Take a correction back: the event counts as sent.", "EventReference"),
            Route(
                method: .GET, pattern: "/v1/events/corrections", scope: .readUsage, reach: .tree,
                bodyLimit: .none,
                operation: Operation(
                    id: "listCorrections", summary: "Corrections of single events, oldest first.",
                    parameters: [.init(name: "customer", text: "Only this one's.")] + paging,
                    success: (200, "Corrections"), problems: [400, 503]),
                handler: .asynchronous(routes.list)),
        ]
    }
}
