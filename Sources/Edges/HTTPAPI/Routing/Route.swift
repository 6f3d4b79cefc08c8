internal import NIOHTTP1

/// One method of one path: who may call it, how much it may send, what answers it, how the OpenAPI
/// document describes it.
struct Route: Sendable {
    enum Handler: Sendable {
        /// Runs on the event loop: must neither block nor wait. Writes the body itself.
        case immediate(@Sendable (Request, inout JSONWriter) throws(Problem) -> AnswerHead)
        /// Runs in a task of its own.
        case asynchronous(@Sendable (Request) async throws(Problem) -> Answer)
    }

    var method: HTTPMethod
    /// Segments with at most one parameter, `{id}`.
    var pattern: String
    /// Nil for routes that are open to everybody.
    var scope: APIKey.Scope?
    var bodyLimit: BodyLimit = .single
    /// Whether the route's duration goes into the check histogram.
    var isCheck = false
    var operation: Operation
    var handler: Handler

    enum BodyLimit: Sendable { case none, single, batch }

    /// Position in the table; the number under which its requests are counted.
    var index = 0
}
