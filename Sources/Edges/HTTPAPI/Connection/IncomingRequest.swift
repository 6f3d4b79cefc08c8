internal import MeteringPorts
internal import NIOCore
internal import NIOHTTP1

/// A request that is arriving: its head is known and accepted, its body is not complete.
struct IncomingRequest {
    var head: HTTPRequestHead
    var route: Route
    var parameters: [String]
    var query: Substring?
    var principal: Principal
    var facts: HeadFacts
    var exchange: Exchange
    var bodyLimit: Int
    private(set) var body = ByteBuffer()
    /// Whether the client waits for `100 Continue`.
    var owesContinue = false

    /// Bodies up to this size are not counted against the shared budget.
    static let freeBytes = 16 * 1_024

    init(
        head: HTTPRequestHead, route: Route, parameters: [String], query: Substring?,
        principal: Principal, facts: HeadFacts, exchange: Exchange, bodyLimit: Int
    ) {
        self.head = head
        self.route = route
        self.parameters = parameters
        self.query = query
        self.principal = principal
        self.facts = facts
        self.exchange = exchange
        self.bodyLimit = bodyLimit
    }

    var fitsLimit: Bool { body.readableBytes <= bodyLimit }

    /// A body that comes in one piece is kept as it is, without a copy.
    mutating func append(_ bytes: ByteBuffer) {
        if body.readableBytes == 0 {
            body = bytes
        } else {
            body.writeImmutableBuffer(bytes)
        }
    }

    /// Bytes of the body that the shared budget has not been asked for yet.
    var unreservedBytes: Int {
        let needed = body.readableBytes > Self.freeBytes ? body.readableBytes : 0
        return max(0, needed - exchange.reservedBytes)
    }

    var request: Request {
        Request(
            head: head, query: query, parameters: parameters, contentType: facts.contentType,
            idempotencyKey: facts.idempotencyKey, requestID: exchange.requestID ?? "",
            principal: principal, body: body)
    }
}
