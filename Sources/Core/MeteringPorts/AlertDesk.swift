package import MeteringModel

// What the edges ask about alert endpoints; the same pattern as the control plane.

package protocol AlertDesk: AnyObject, Sendable {
    /// Carries a command out; durable when it returns.
    func perform(_ command: AlertCommand) async throws(ControlProblem) -> ControlAnswer
    func read(_ query: AlertQuery) async throws(ControlProblem) -> ControlAnswer
}

package struct AlertCommand: Sendable {
    package enum Operation: Sendable, Hashable {
        /// `POST /v1/alert-endpoints`; the body may name the id.
        case create
        /// `PUT`, `PATCH` (RFC 7396) and `DELETE /v1/alert-endpoints/{id}`
        case put(String)
        case patch(String)
        case delete(String)
        /// `POST …/{id}/secret`: makes one, or another; the answer alone holds it.
        case rotateSecret(String)
        /// `POST …/{id}/test`: sends one message now, outside the line, and tells what came of it.
        case test(String)
        /// `POST …/{id}/enable`: takes a disabled endpoint up again, and tries at once.
        case enable(String)
        /// `POST …/{id}/deliveries/{message}/resend`
        case resend(String, message: String)
        /// `POST …/{id}/resend`, body `{"from", "to"}`: every message of that time that the
        /// endpoint's filter lets through, in order.
        case resendRange(String)
    }
    package var operation: Operation
    /// An object; empty when there was no body.
    package var body: JSONValue
    package var context: CommandContext
    /// Of method, path, query and body, for idempotency.
    package var digest: String
    package init(
        operation: Operation, body: JSONValue, context: CommandContext, digest: String
    ) {
        self.operation = operation
        self.body = body
        self.context = context
        self.digest = digest
    }
}

package struct AlertQuery: Sendable {
    package enum Subject: Sendable, Hashable {
        case endpoints
        case endpoint(String)
        /// `GET …/{id}/deliveries?state=`, the latest first.
        case deliveries(String, state: AlertDelivery.State?)
        /// `GET …/{id}/deliveries/{message}`: with its attempts.
        case delivery(String, message: String)
    }
    package var subject: Subject
    package var principal: Principal
    package var cursor: String?
    package var limit: Int
    package init(
        subject: Subject, principal: Principal, cursor: String? = nil, limit: Int = 100
    ) {
        self.subject = subject
        self.principal = principal
        self.cursor = cursor
        self.limit = limit
    }
}
