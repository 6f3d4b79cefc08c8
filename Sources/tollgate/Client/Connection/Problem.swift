import Foundation

/// An RFC 9457 problem document, read leniently: a proxy's HTML page is a problem too.
struct Problem: Sendable {
    struct LocatedError: Sendable, Codable {
        /// Nil where the problem is the whole document's.
        var line: Int?
        var column: Int?
        var message: String
    }

    var status: Int
    var title: String?
    var detail: String?
    /// Where the catalog is wrong; only `/v1/catalog` sends it.
    var errors: [LocatedError]

    private struct Document: Codable {
        var title: String?
        var detail: String?
        var errors: [LocatedError]?
    }

    init(_ reply: APIReply) {
        status = reply.status
        let document = try? JSONDecoder().decode(Document.self, from: reply.body)
        title = document?.title
        detail = document?.detail
        errors = document?.errors ?? []
    }

    /// The exit code that this kind of refusal ends with, and the sentence for it.
    var failure: ClientFailure {
        let said = [title, detail].compactMap { $0 }.filter { !$0.isEmpty }
            .joined(separator: ": ")
        let message = said.isEmpty ? "the server answered with status \(status)" : said
        switch status {
        case 401, 403: return ClientFailure(.notAuthorized, message)
        case 429, 503: return ClientFailure(.retryLater, message)
        case 502, 504: return ClientFailure(.unreachable, message)
        case 400..<500: return ClientFailure(.badInput, message)
        default: return ClientFailure(.internalError, message)
        }
    }
}
