import ArgumentParser
import Foundation
import MeteringModel

/// A JSON document as the server writes it.
typealias Document = MeteringModel.JSONValue

/// The kinds of records that `get`, `put`, `change` and `delete` take, by their paths.
enum RecordName: String, CaseIterable, ExpressibleByArgument {
    case products, meters, features, plans
    case addOns = "add-ons"
    case customers, subscriptions, overrides, grants, suspensions, revocations

    /// Singular words do as well.
    init?(argument: String) {
        let known = Self.allCases.first {
            $0.rawValue == argument || $0.rawValue == argument + "s"
        }
        guard let known else { return nil }
        self = known
    }
}

/// What every change may say about itself.
struct ChangeOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Why; the audit log keeps it.", valueName: "text"))
    var reason: String?

    @Option(
        help: ArgumentHelp(
            "When it takes effect, past or future: RFC 3339, or a date in the customer's zone.",
            valueName: "time"))
    var effectiveAt: String?

    @Option(
        help: ArgumentHelp(
            "Repeats of the command with this key have one effect and get one answer.",
            valueName: "key"))
    var idempotencyKey: String?

    @Option(
        help: ArgumentHelp("Refuse when the record is not at this revision.", valueName: "tag"))
    var ifMatch: String?

    @Flag(help: "Say what would change, and change nothing.")
    var dryRun = false

    var query: [(name: String, value: String)] {
        var query: [(name: String, value: String)] = []
        if let reason { query.append(("reason", reason)) }
        if let effectiveAt { query.append(("effective_at", effectiveAt)) }
        if dryRun { query.append(("dry_run", "true")) }
        return query
    }

    /// Without a key of the user's, one of ours: a request that is sent twice counts once.
    var headers: [(name: String, value: String)] {
        var headers = [("Idempotency-Key", idempotencyKey ?? "cli-" + UUID().uuidString)]
        if let ifMatch { headers.append(("If-Match", "\"\(ifMatch)\"")) }
        return headers
    }
}

/// What a command may say about itself that has no time of its own and no one record.
struct CommandOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Why; the audit log keeps it.", valueName: "text"))
    var reason: String?

    @Option(
        help: ArgumentHelp(
            "Repeats of the command with this key have one effect and get one answer.",
            valueName: "key"))
    var idempotencyKey: String?

    func request(_ path: [String], timeoutSeconds: Double = 60) -> APIRequest {
        var request = APIRequest(
            .post, path, query: reason.map { [("reason", $0)] } ?? [],
            timeoutSeconds: timeoutSeconds)
        request.headers = [("Idempotency-Key", idempotencyKey ?? "cli-" + UUID().uuidString)]
        return request
    }
}

/// An instant as the user gives it.
enum InstantText {
    /// A date (2026-12-01) means its midnight in UTC; anything else is the server's to judge.
    static func rfc3339(_ text: String) -> String {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        let isDate =
            parts.map(\.count) == [4, 2, 2]
            && parts.allSatisfy { $0.allSatisfy { $0.isASCII && $0.isNumber } }
        return isDate ? text + "T00:00:00Z" : text
    }
}

extension APIClient {
    /// Sends a change and gives back the answer's document.
    func change(
        _ method: APIRequest.Method, _ path: [String], _ options: ChangeOptions,
        query: [(name: String, value: String)] = [], body: Document? = nil,
        timeoutSeconds: Double = 60
    ) async throws(ClientFailure) -> Data {
        var request = APIRequest(
            method, path, query: options.query + query,
            body: body.map { Data($0.canonicalBytes) }, timeoutSeconds: timeoutSeconds)
        request.headers = options.headers
        return try await answer(request)
    }

    func document(_ data: Data) throws(ClientFailure) -> Document {
        do throws(JSONSyntaxError) {
            return try JSONParser.parse(Array(data))
        } catch {
            throw ClientFailure(.internalError, "the server's answer is \(error)")
        }
    }
}

extension Document {
    /// For people: members sorted, two spaces a level.
    var indentedText: String {
        var text = ""
        write(indent: 0, to: &text)
        return text
    }

    private func write(indent: Int, to text: inout String) {
        let inner = String(repeating: " ", count: (indent + 1) * 2)
        let outer = String(repeating: " ", count: indent * 2)
        switch self {
        case .object(let members) where !members.isEmpty:
            text += "{\n"
            for (index, name) in members.keys.sorted().enumerated() {
                if index > 0 { text += ",\n" }
                text += inner + Document.string(name).canonicalText + ": "
                (members[name] ?? .null).write(indent: indent + 1, to: &text)
            }
            text += "\n" + outer + "}"
        case .array(let elements) where !elements.isEmpty:
            text += "[\n"
            for (index, element) in elements.enumerated() {
                if index > 0 { text += ",\n" }
                text += inner
                element.write(indent: indent + 1, to: &text)
            }
            text += "\n" + outer + "]"
        default: text += canonicalText
        }
    }
}

/// A JSON document that the user gives: a file, stdin (`-`), or written out.
enum DocumentInput {
    static func read(file: String?, text: String?) throws(ClientFailure) -> Document {
        let bytes: [UInt8]
        switch (file, text) {
        case (let file?, nil): bytes = Array(try readInput(file))
        case (nil, let text?): bytes = Array(text.utf8)
        case (nil, nil), (.some, .some):
            throw ClientFailure(.usage, "give the document with --file or with --json-text")
        }
        do throws(JSONSyntaxError) {
            return try JSONParser.parse(bytes)
        } catch {
            throw ClientFailure(.badInput, "\(file ?? "--json-text"): \(error)")
        }
    }
}
