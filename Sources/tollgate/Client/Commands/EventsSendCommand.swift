import ArgumentParser
import Foundation
import MeteringModel

struct EventsSendCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "send",
        abstract: "Send one event from flags, or many from NDJSON.",
        discussion: """
            EXAMPLES
              tollgate events send --type llm.request --subject key_1 --data total_tokens=812
              tollgate events send --file events.ndjson
              kcat … | tollgate events send --file -

            --data NAME=VALUE takes a JSON number, true or false as such and anything else as \
            text; put text that looks like a number in double quotes.

            \(CommandExit.help)
            """)

    @Option(help: "Event type.")
    var type: String?

    @Option(help: "Subject (API key, user, device).")
    var subject: String?

    @Option(help: "A member of the data, NAME=VALUE; may be repeated.")
    var data: [String] = []

    @Option(help: "Event id; a new one when left out.")
    var id: String?

    @Option(help: "Event source.")
    var source = "tollgate-cli"

    @Option(help: "When it happened (RFC 3339); now when left out.")
    var time: String?

    @Option(help: "NDJSON, one CloudEvent a line; - reads stdin.")
    var file: String?

    @OptionGroup var sending: SendOptions
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if file == nil, type == nil || subject == nil {
            throw ValidationError("Give --type and --subject for one event, or --file for many.")
        }
        if file != nil, type != nil || subject != nil || id != nil || !data.isEmpty {
            throw ValidationError("--file and the flags for one event exclude each other.")
        }
        for pair in data where !pair.contains("=") || pair.hasPrefix("=") {
            throw ValidationError("--data: \(pair) is not NAME=VALUE.")
        }
        if let time, TraceTime.parse(time) == nil {
            throw ValidationError("--time: \(time) is not a time like 2026-11-21T10:15:00Z.")
        }
    }

    func perform(_ client: APIClient) async throws(ClientFailure) {
        let lines: [NDJSONLine] =
            try file.map { (path) throws(ClientFailure) in
                NDJSONLine.split(try readInput(path))
            } ?? [NDJSONLine(number: 1, event: .success(singleEvent()))]
        var index = 0
        let stream = EventStream(
            batchSize: sending.batchSize, inFlightMax: sending.inFlight, total: lines.count,
            isQuiet: sending.quiet)
        let sender = sending.sender(client)
        let (tally, seconds) = try await stream.run {
            guard index < lines.count else { return nil }
            defer { index += 1 }
            return (lines[index].number, lines[index].event)
        } send: { (batch) async throws(ClientFailure) in
            try await sender.send(batch.events)
        }
        try SendReport(isJSON: connection.json, isQuiet: sending.quiet)
            .finish(tally, seconds: seconds)
    }

    private func singleEvent() -> String {
        let now = Timestamp(microseconds: Int64(Date().timeIntervalSince1970 * 1_000_000))
        return CloudEvent(
            id: id ?? UUID().uuidString.lowercased(), source: source, type: type ?? "",
            subject: subject ?? "",
            time: TraceTime.text(time.flatMap(TraceTime.parse) ?? now),
            data: .object(data.map(Self.member))
        ).json.text
    }

    static func member(_ pair: String) -> JSONValue.Member {
        let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let text = parts.count > 1 ? String(parts[1]) : ""
        let value: JSONValue
        switch text {
        case "true", "false": value = .bool(text == "true")
        case "null": value = .null
        default:
            if JSONNumber.isValid(text) {
                value = .number(text)
            } else if text.count >= 2, text.hasPrefix("\""), text.hasSuffix("\"") {
                value = .string(String(text.dropFirst().dropLast()))
            } else {
                value = .string(text)
            }
        }
        return JSONValue.Member(name: String(parts[0]), value: value)
    }
}

/// One line of NDJSON, found to be a JSON object or not.
struct NDJSONLine: Sendable {
    var number: Int
    var event: Result<String, RowProblem>

    /// Empty lines are passed over. A line that is no JSON object must not reach a batch, where it
    /// would take the others down with it.
    static func split(_ data: Data) -> [NDJSONLine] {
        var lines: [NDJSONLine] = []
        let parts = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            let isEmpty = part.allSatisfy { [0x20, 0x09, 0x0D].contains($0) }
            if isEmpty { continue }
            lines.append(NDJSONLine(number: index + 1, event: check(part)))
        }
        return lines
    }

    private static func check(_ line: Data) -> Result<String, RowProblem> {
        guard let text = String(validating: line, as: UTF8.self),
            (try? JSONSerialization.jsonObject(with: line)) is [String: Any]
        else {
            return .failure(RowProblem(code: "malformed", detail: "not a JSON object"))
        }
        return .success(text.hasSuffix("\r") ? String(text.dropLast()) : text)
    }
}
