import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// One HTTP request to the server.
struct APIRequest: Sendable {
    enum Method: String, Sendable { case get = "GET", post = "POST" }

    var method: Method
    /// Path segments below the root, not yet percent-encoded.
    var path: [String]
    var query: [(name: String, value: String)]
    var body: Data?
    var contentType: String
    var timeoutSeconds: Double

    init(
        _ method: Method, _ path: [String], query: [(name: String, value: String)] = [],
        body: Data? = nil, contentType: String = "application/json", timeoutSeconds: Double = 30
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.body = body
        self.contentType = contentType
        self.timeoutSeconds = timeoutSeconds
    }

    /// A request whose body is a JSON document.
    static func post(
        _ path: [String], query: [(name: String, value: String)] = [], json: JSONValue,
        timeoutSeconds: Double = 30
    ) -> APIRequest {
        APIRequest(
            .post, path, query: query, body: Data(json.text.utf8), timeoutSeconds: timeoutSeconds)
    }
}

/// An HTTP answer of any status.
struct APIReply: Sendable {
    var status: Int
    /// From `Retry-After`, when it is given in seconds.
    var retryAfterSeconds: Double?
    var body: Data
}

/// Speaks to one server. A reply with a status other than 2xx is a failure except to `exchange`.
struct APIClient: Sendable {
    let base: URL
    private let apiKey: String?

    init(base: URL, apiKey: String?) {
        self.base = base
        self.apiKey = apiKey
    }

    /// - Throws: `unreachable` when there is no HTTP reply at all.
    func exchange(_ request: APIRequest) async throws(ClientFailure) -> APIReply {
        let urlRequest = try urlRequest(for: request)
        // A session of its own means a connection of its own. Foundation on Linux repeats a request
        // whose kept connection has died, but waits for a body that it has read already, until
        // the request times out. On a fresh connection the loss is reported at once. Share one
        // session when swift-corelibs-foundation rewinds the body.
        let session = URLSession(configuration: .ephemeral)
        defer { session.finishTasksAndInvalidate() }
        do {
            let (body, response) = try await session.data(for: urlRequest)
            guard let http = response as? HTTPURLResponse else {
                throw ClientFailure(.internalError, "the answer of \(base) is not HTTP")
            }
            let retryAfter = http.value(forHTTPHeaderField: "Retry-After").flatMap(Double.init)
            return APIReply(
                status: http.statusCode, retryAfterSeconds: retryAfter, body: body)
        } catch let failure as ClientFailure {
            throw failure
        } catch {
            throw ClientFailure(.unreachable, unreachableMessage(error))
        }
    }

    /// - Returns: the body of a 2xx reply.
    func answer(_ request: APIRequest) async throws(ClientFailure) -> Data {
        let reply = try await exchange(request)
        guard (200..<300).contains(reply.status) else { throw Problem(reply).failure }
        return reply.body
    }

    private func urlRequest(for request: APIRequest) throws(ClientFailure) -> URLRequest {
        var text = base.absoluteString
        for segment in request.path { text += "/" + Self.percentEncoded(segment) }
        let query = request.query.map {
            Self.percentEncoded($0.name) + "=" + Self.percentEncoded($0.value)
        }
        if !query.isEmpty { text += "?" + query.joined(separator: "&") }
        guard let url = URL(string: text) else {
            throw ClientFailure(.usage, "\(text) is not a URL")
        }
        var result = URLRequest(url: url)
        result.httpMethod = request.method.rawValue
        result.timeoutInterval = request.timeoutSeconds
        result.setValue("application/json", forHTTPHeaderField: "Accept")
        if let body = request.body {
            result.httpBody = body
            result.setValue(request.contentType, forHTTPHeaderField: "Content-Type")
        }
        if let apiKey { result.setValue("Bearer \(apiKey)", forHTTPHeaderField: "Authorization") }
        return result
    }

    /// Everything but RFC 3986's unreserved characters is encoded, so no value can add a segment
    /// or a parameter.
    static func percentEncoded(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            let character = Character(Unicode.Scalar(byte))
            if character.isASCII,
                character.isLetter || character.isNumber
                    || "-._~".contains(character)
            {
                result.append(character)
            } else {
                let hex = String(byte, radix: 16, uppercase: true)
                result += "%" + (hex.count < 2 ? "0" : "") + hex
            }
        }
        return result
    }

    private func unreachableMessage(_ error: any Error) -> String {
        let reason: String
        switch (error as? URLError)?.code {
        case .timedOut: reason = "no answer in time"
        case .cannotFindHost, .dnsLookupFailed: reason = "host not found"
        case .cannotConnectToHost: reason = "connection refused"
        case .networkConnectionLost: reason = "connection lost"
        default: reason = error.localizedDescription
        }
        return """
            cannot reach \(base): \(reason)
            Is `tollgate serve` running? Name another address with --server or TOLLGATE_SERVER.
            """
    }
}
