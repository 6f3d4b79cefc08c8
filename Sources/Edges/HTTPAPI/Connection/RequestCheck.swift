internal import NIOHTTP1

/// What every request must keep to before a route sees it.
enum RequestCheck {
    /// Path and query of a request target; the absolute form loses scheme and authority.
    static func split(_ uri: String) -> (path: String, query: Substring?) {
        var target = Substring(uri)
        if !target.hasPrefix("/"), let scheme = target.range(of: "://") {
            target = target[scheme...]
            target = target.firstIndex(of: "/").map { target[$0...] } ?? "/"
        }
        guard let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) else {
            return (target.utf8.count == uri.utf8.count ? uri : String(target), nil)
        }
        return (String(target[..<mark]), target[target.utf8.index(after: mark)...])
    }

    static func bodyLimit(of route: Route, _ facts: HeadFacts, _ options: HTTPOptions) -> Int {
        switch route.bodyLimit {
        case .none: return 64 * 1_024
        case .single: return options.bodyBytesMax
        case .bulk: return options.importBytesMax
        case .batch:
            let type = facts.contentType?.lowercased() ?? ""
            let isSingle = type.hasPrefix("application/cloudevents+")
            return isSingle ? options.bodyBytesMax : options.batchBytesMax
        }
    }

    /// Nil when the request may be received.
    static func problem(
        _ head: HTTPRequestHead, _ facts: HeadFacts, bodyLimit: Int
    ) -> Problem? {
        if facts.hostCount != 1, head.version.minor >= 1 {
            return Problem(
                status: 400, code: "invalid_request", detail: "exactly one Host field is needed")
        }
        if let length = facts.contentLength, length > bodyLimit {
            return tooLarge(limit: bodyLimit)
        }
        if let encoding = facts.contentEncoding, encoding.lowercased() != "identity" {
            return Problem(
                status: 415, code: "unsupported_encoding",
                detail: "bodies must not be compressed (Content-Encoding: \(encoding))")
        }
        if let expect = facts.expect, expect.lowercased() != "100-continue" {
            return Problem(
                status: 417, code: "expectation_failed", detail: "only 100-continue is understood")
        }
        return nil
    }

    static func tooLarge(limit: Int) -> Problem {
        Problem(
            status: 413, code: "too_large",
            detail: "the body is larger than \(limit) bytes; send it in parts")
    }

    static var overloaded: Problem {
        .unavailable(code: "overloaded", "too many requests are under way; nothing was done")
    }

    static func notFound(_ path: String) -> Problem {
        Problem(
            status: 404, code: "no_route", detail: "there is nothing at \(path.prefix(200))")
    }

    static func methodNotAllowed(_ allow: String) -> Problem {
        var problem = Problem(
            status: 405, code: "method_not_allowed", detail: "this path takes \(allow)")
        problem.headers = [("Allow", allow)]
        return problem
    }

    /// What stands for the request where the parser could not make one out.
    static let brokenExchange = Exchange(
        routeIndex: -1, isKeepAlive: false, isOldVersion: false, isHead: false, requestID: nil)

    static func problem(for error: HTTPParserError) -> Problem {
        switch error {
        case .headerOverflow:
            Problem(
                status: 431, code: "head_too_large", detail: "the request head is too large")
        case .invalidVersion:
            Problem(status: 505, code: "unsupported_version", detail: "only HTTP/1.x is spoken")
        default:
            Problem(
                status: 400, code: "malformed_http", detail: "not an HTTP/1.1 request: \(error)")
        }
    }
}

extension Substring {
    /// Index after the first occurrence of `text`; nil when there is none.
    fileprivate func range(of text: String) -> Index? {
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(text) { return self.index(index, offsetBy: text.count) }
            formIndex(after: &index)
        }
        return nil
    }
}
