/// Requests to addresses that users name: webhooks, billing systems.
///
/// An implementation holds to the rules for such requests: https unless the operator allows
/// otherwise, every resolved address checked, the connection made to a checked address, no
/// redirects, bounded times and answers.
package protocol OutboundHTTP: AnyObject, Sendable {
    /// One request, one answer; never tries again by itself.
    /// - Throws: when there is no answer. `mayHaveArrived` tells whether the other side may have
    ///   acted on the request all the same.
    func send(_ request: OutboundRequest) async throws(OutboundFailure) -> OutboundResponse
    /// What is wrong with an address as it is written; nil when requests to it may be tried. Looks
    /// no name up, so an allowed one may still turn out to lead to a forbidden address.
    func problem(with url: String) -> String?
}

package struct OutboundHeader: Sendable, Hashable {
    package var name: String
    package var value: String
    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

package struct OutboundRequest: Sendable, Hashable {
    /// `GET`, `POST`, …
    package var method: String
    /// Absolute, without user and password.
    package var url: String
    /// Host, Content-Length and User-Agent are set by the implementation.
    package var headers: [OutboundHeader]
    package var body: [UInt8]
    /// From the call to the last byte of the answer, names and connecting included.
    package var timeoutSeconds: Int
    /// More of an answer's body is not read; the connection is given up then.
    package var responseBytesMax: Int
    package init(
        method: String = "POST", url: String, headers: [OutboundHeader] = [], body: [UInt8] = [],
        timeoutSeconds: Int = 15, responseBytesMax: Int = 65_536
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeoutSeconds = timeoutSeconds
        self.responseBytesMax = responseBytesMax
    }
}

package struct OutboundResponse: Sendable, Hashable {
    package var status: Int
    package var headers: [OutboundHeader]
    /// At most `responseBytesMax` of it. Foreign text: never shown or logged unfiltered.
    package var body: [UInt8]
    /// Whether there was more of the body than was read.
    package var isCut: Bool
    package init(
        status: Int, headers: [OutboundHeader] = [], body: [UInt8] = [], isCut: Bool = false
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.isCut = isCut
    }

    /// The first field of the name, whatever its case.
    package func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }
}

/// Why a request has no answer.
package struct OutboundFailure: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// The address breaks a rule for outgoing requests, as written or as resolved.
        case refused
        /// The name has no address, or nobody could be asked for it.
        case unresolved
        case unreachable
        case tls
        case timeout
        /// The connection ended, or what came over it was no HTTP.
        case broken
        /// This process is ending.
        case closed
    }
    package var code: Code
    /// Names the host at most: paths and queries may hold secrets.
    package var message: String
    /// Whether some of the request was sent before it failed.
    package var mayHaveArrived: Bool
    package init(code: Code, message: String, mayHaveArrived: Bool = false) {
        self.code = code
        self.message = message
        self.mayHaveArrived = mayHaveArrived
    }
    package var description: String { message }
}
