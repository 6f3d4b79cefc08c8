import Crypto
import Foundation
import MeteringModel
import Synchronization

/// Takes webhooks in as their receivers should: the signature is checked, an id counts once.
final class WebhookSink: Sendable {
    struct Message: Sendable, Hashable {
        var id: String
        var type: String
    }

    private struct State {
        var key: SymmetricKey?
        /// Each id once, in the order in which they were first taken.
        var messages: [Message] = []
        var bodies: [String: [UInt8]] = [:]
        var callCount = 0
        var droppedCount = 0
        var problems: [String] = []
    }

    private let state = Mutex(State())
    private let drops: @Sendable (_ call: Int) -> Bool

    /// - Parameter drops: whether a call, counted from 1, is read and not answered.
    init(drops: @escaping @Sendable (_ call: Int) -> Bool = { _ in false }) {
        self.drops = drops
    }

    var messages: [Message] { state.withLock { $0.messages } }
    var droppedCount: Int { state.withLock { $0.droppedCount } }
    /// Rules of Standard Webhooks that were broken.
    var problems: [String] { state.withLock { $0.problems } }

    /// - Parameter secret: `whsec_…`, as the answer that makes the endpoint tells it.
    func learn(_ secret: String) throws {
        guard secret.hasPrefix("whsec_"),
            let bytes = Data(base64Encoded: String(secret.dropFirst(6)))
        else { throw Unmet("no secret of Standard Webhooks: \(secret.prefix(10))…") }
        state.withLock { $0.key = SymmetricKey(data: bytes) }
    }

    func take(_ request: HTTPStandIn.Request) -> HTTPStandIn.Reply {
        state.withLock { state in
            state.callCount += 1
            let isDropped = drops(state.callCount)
            if let problem = check(request, state) {
                state.problems.append(problem)
                return .answer(400, body: problem)
            }
            let id = request.headers["webhook-id"] ?? ""
            if let before = state.bodies[id], before != request.body {
                state.problems.append("\(id) came with another body")
            }
            state.bodies[id] = request.body
            if isDropped {
                state.droppedCount += 1
                return .close
            }
            let type = try? JSONParser.parse(request.body)["type"]?.text
            let message = Message(id: id, type: type ?? "")
            if !state.messages.contains(where: { $0.id == id }) { state.messages.append(message) }
            return .answer(204)
        }
    }

    private func check(_ request: HTTPStandIn.Request, _ state: State) -> String? {
        let headers = request.headers
        guard let id = headers["webhook-id"], let timestamp = headers["webhook-timestamp"],
            let signature = headers["webhook-signature"], let key = state.key
        else { return "headers are missing: \(headers.keys.sorted())" }
        guard let seconds = Double(timestamp),
            abs(seconds - Date().timeIntervalSince1970) < 300
        else { return "\(id): the time \(timestamp) is not now" }
        let content = Array("\(id).\(timestamp).".utf8) + request.body
        let isSigned = signature.split(separator: " ").contains { part in
            guard part.hasPrefix("v1,"), let code = Data(base64Encoded: String(part.dropFirst(3)))
            else { return false }
            return HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: content, using: key)
        }
        return isSigned ? nil : "\(id): no signature is right"
    }
}
