internal import NIOHTTP1

/// One method of one path: who may call it, how much it may send, what answers it, how the OpenAPI
/// document describes it. A class, so that a request carries one reference to it and not a copy.
final class Route: Sendable {
    enum Handler: Sendable {
        /// Runs on the event loop: must neither block nor wait. Writes the body itself.
        case immediate(@Sendable (Request, inout JSONWriter) throws(Problem) -> AnswerHead)
        /// Runs in a task of its own.
        case asynchronous(@Sendable (Request) async throws(Problem) -> Answer)
    }

    enum BodyLimit: Sendable { case none, single, batch }

    let method: HTTPMethod
    /// Segments with at most one parameter, `{id}`.
    let pattern: String
    /// Nil for routes that are open to everybody.
    let scope: APIKey.Scope?
    let bodyLimit: BodyLimit
    /// Whether the route's duration goes into the check histogram.
    let isCheck: Bool
    let operation: Operation
    let handler: Handler

    init(
        method: HTTPMethod, pattern: String, scope: APIKey.Scope?, bodyLimit: BodyLimit = .single,
        isCheck: Bool = false, operation: Operation, handler: Handler
    ) {
        self.method = method
        self.pattern = pattern
        self.scope = scope
        self.bodyLimit = bodyLimit
        self.isCheck = isCheck
        self.operation = operation
        self.handler = handler
    }
}
