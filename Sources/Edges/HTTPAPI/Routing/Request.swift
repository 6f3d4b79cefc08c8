internal import NIOCore
internal import NIOHTTP1

/// One request as the routes see it: complete, within its limits, allowed.
struct Request: Sendable {
    var head: HTTPRequestHead
    /// The text after `?`, still encoded.
    var query: Substring?
    /// What stands in the place of `{id}` in the route's pattern, decoded.
    var pathParameter: String?
    var contentType: String?
    var idempotencyKey: String?
    /// The client's, or one of ours; empty where neither was needed (a plain check).
    var requestID: String
    var body: ByteBuffer
}
