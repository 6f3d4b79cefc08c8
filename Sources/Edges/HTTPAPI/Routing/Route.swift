internal import MeteringPorts
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

    /// `bulk` has bounds and a memory budget of its own.
    enum BodyLimit: Sendable { case none, single, batch, bulk }

    /// What a key that is bound to a customer finds here.
    enum Reach: Sendable {
        /// Every customer's: refused to such a key. What a route has that says nothing else.
        case installation
        /// Customers' own; the handler, or the service behind it, holds the key to its tree.
        case tree
        /// Nothing of any customer.
        case common
    }

    /// Which of the edge's own rate limits counts its requests.
    enum Rate: Sendable { case none, control, check }

    let method: HTTPMethod
    /// Segments, any of which may be a parameter: `{id}`.
    let pattern: String
    /// Nil for routes that are open to everybody.
    let scope: AccessScope?
    let reach: Reach
    let rate: Rate
    /// Whether the path goes below one customer, `/v1/customers/{id}/…`, which must then be of the
    /// tree of a bound key.
    let isOfCustomer: Bool
    let bodyLimit: BodyLimit
    /// Whether the route's duration goes into the check histogram.
    let isCheck: Bool
    let operation: Operation
    let handler: Handler
    private let queryNames: Set<String>

    init(
        method: HTTPMethod, pattern: String, scope: AccessScope?, reach: Reach = .installation,
        rate: Rate = .control, bodyLimit: BodyLimit = .single, isCheck: Bool = false,
        operation: Operation, handler: Handler
    ) {
        self.method = method
        self.pattern = pattern
        self.scope = scope
        self.reach = reach
        self.rate = rate
        isOfCustomer = pattern.hasPrefix("/v1/customers/{id}/")
        self.bodyLimit = bodyLimit
        self.isCheck = isCheck
        self.operation = operation
        self.handler = handler
        queryNames = Set(operation.parameters.filter { $0.place == .query }.map(\.name))
    }

    /// A parameter that the route does not know is refused: a misspelt `dry_run` must not become a
    /// change, nor a misspelt filter everything. Nil when all are known, or the query is malformed
    /// (its reader says so).
    func problem(with text: Substring) -> Problem? {
        guard let query = try? Query(text),
            let name = query.names.first(where: { !queryNames.contains($0) })
        else { return nil }
        let known = queryNames.sorted().joined(separator: ", ")
        return Problem(
            status: 400, code: "unknown_parameter",
            detail: "there is no parameter \"\(name.prefix(100))\" here; "
                + (known.isEmpty ? "this route takes none" : "known are \(known)"),
            field: String(name.prefix(100)))
    }

    /// Names of the pattern's parameters, in their order.
    var parameterNames: [String] {
        pattern.split(separator: "/").filter { $0.first == "{" }.map { $0.dropFirst().dropLast() }
            .map(String.init)
    }
}
