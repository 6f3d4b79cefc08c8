internal import MeteringModel
internal import MeteringPorts
internal import NIOCore
internal import NIOHTTP1

/// One request as the routes see it: complete, within its limits, allowed.
struct Request: Sendable {
    var head: HTTPRequestHead
    /// The text after `?`, still encoded.
    var query: Substring?
    /// What stands in the places of the parameters of the route's pattern, decoded, in their order.
    var parameters: [String]
    var contentType: String?
    var idempotencyKey: String?
    /// The client's, or one of ours; empty where neither was needed (a plain check).
    var requestID: String
    /// Who asks; holds the route's scope.
    var principal: Principal
    var body: ByteBuffer

    /// Empty where the pattern has fewer.
    func parameter(_ index: Int) -> String {
        parameters.indices.contains(index) ? parameters[index] : ""
    }

    /// The customer whose id is the path's first parameter.
    var customer: CustomerID { CustomerID(rawValue: parameter(0)) }

    /// A header field that may be there once. Nil when it is absent.
    func header(_ name: String) throws(Problem) -> String? {
        let values = head.headers[name]
        if values.count > 1 { throw .invalid(name, "\(name) is given twice") }
        return values.first
    }
}
