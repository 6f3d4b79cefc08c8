import Foundation
import NIOHTTP1

/// One HTTP request to the server.
struct APIRequest: Sendable {
    enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case patch = "PATCH"
        case delete = "DELETE"
    }

    var method: Method
    /// Path segments below the root, not yet percent-encoded.
    var path: [String]
    var query: [(name: String, value: String)]
    var body: Data?
    var contentType: String
    var headers: [(name: String, value: String)] = []
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
    var headers = HTTPHeaders()
}

/// Speaks to one server. A reply with a status other than 2xx is a failure except to `exchange`.
struct APIClient: Sendable {
    let base: ServerAddress
    private let apiKey: String?
    /// Certificate authority (PEM file) to trust besides the system's; for https.
    private let authorityFile: String?

    init(base: ServerAddress, apiKey: String?, authorityFile: String? = nil) {
        self.base = base
        self.apiKey = apiKey
        self.authorityFile = authorityFile
    }

    /// - Throws: `unreachable` when there is no HTTP reply at all.
    func exchange(_ request: APIRequest) async throws(ClientFailure) -> APIReply {
        do throws(HTTPExchangeError) {
            return try await HTTPExchange.run(
                base, authorityFile: authorityFile, head: head(of: request), body: request.body,
                timeoutSeconds: request.timeoutSeconds)
        } catch {
            let hint =
                error.hint
                ?? "Is `tollgate serve` running? "
                + "Name another address with --server or TOLLGATE_SERVER."
            throw ClientFailure(.unreachable, "cannot reach \(base): \(error.reason)\n\(hint)")
        }
    }

    /// - Returns: the body of a 2xx reply.
    func answer(_ request: APIRequest) async throws(ClientFailure) -> Data {
        try await reply(request).body
    }

    /// - Returns: a 2xx reply.
    func reply(_ request: APIRequest) async throws(ClientFailure) -> APIReply {
        let reply = try await exchange(request)
        guard (200..<300).contains(reply.status) else { throw Problem(reply).failure }
        return reply
    }

    private func head(of request: APIRequest) -> HTTPRequestHead {
        var target = ""
        for segment in request.path { target += "/" + Self.percentEncoded(segment) }
        let query = request.query.map {
            Self.percentEncoded($0.name) + "=" + Self.percentEncoded($0.value)
        }
        if !query.isEmpty { target += "?" + query.joined(separator: "&") }
        var headers = HTTPHeaders([
            ("Host", base.authority), ("Accept", "application/json"), ("Connection", "close"),
            ("Tollgate-Source", "cli"),
        ])
        for (name, value) in request.headers { headers.replaceOrAdd(name: name, value: value) }
        if let body = request.body {
            headers.add(name: "Content-Type", value: request.contentType)
            headers.add(name: "Content-Length", value: String(body.count))
        } else if request.method != .get {
            headers.add(name: "Content-Length", value: "0")
        }
        if let apiKey { headers.add(name: "Authorization", value: "Bearer \(apiKey)") }
        return HTTPRequestHead(
            version: .http1_1, method: HTTPMethod(rawValue: request.method.rawValue), uri: target,
            headers: headers)
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
}
