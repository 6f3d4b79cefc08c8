import MeteringModel
import MeteringPorts
import Synchronization

/// Remembers what it was asked; answers with an endpoint, or whatever the operation makes.
final class FakeDesk: AlertDesk {
    let commands = Mutex<[AlertCommand]>([])
    let queries = Mutex<[AlertQuery]>([])

    func perform(_ command: AlertCommand) async throws(ControlProblem) -> ControlAnswer {
        commands.withLock { $0.append(command) }
        switch command.operation {
        case .create:
            return ControlAnswer(
                status: 201,
                body: .object(["id": .string("ep_1"), "secret": .string("whsec_AAAA")]),
                location: "/v1/alert-endpoints/ep_1")
        case .rotateSecret(let id):
            return ControlAnswer(
                status: 201, body: .object(["id": .string(id), "secret": .string("whsec_BBBB")]))
        case .resend, .resendRange:
            return ControlAnswer(status: 202, body: .object(["queued": .integer(3)]))
        case .delete(let id):
            throw ControlProblem(.notFound, "not_found", "there is no alert endpoint \"\(id)\"")
        case .put(let id), .patch(let id), .test(let id), .enable(let id):
            return ControlAnswer(body: .object(["id": .string(id)]), entityTag: "7")
        }
    }

    func read(_ query: AlertQuery) async throws(ControlProblem) -> ControlAnswer {
        queries.withLock { $0.append(query) }
        switch query.subject {
        case .endpoint(let id): return ControlAnswer(body: .object(["id": .string(id)]))
        case .delivery(_, let message):
            return ControlAnswer(body: .object(["message": .string(message)]))
        case .endpoints, .deliveries:
            return ControlAnswer(body: .object(["items": .array([]), "next": .null]))
        }
    }
}
