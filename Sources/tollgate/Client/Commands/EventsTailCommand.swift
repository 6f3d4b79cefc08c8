import ArgumentParser
import Foundation

struct EventsTailCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail",
        abstract: "Print events as they are appended to the log, until Ctrl-C.",
        discussion: """
            EXAMPLES
              tollgate events tail
              tollgate events tail --after 0 --no-follow --json

            Starts with the newest events, or after --after. One line an event; with --json one \
            JSON object a line.

            \(CommandExit.help)
            """)

    private static let pollInterval = Duration.seconds(1)

    @Option(help: "Start after this offset of the log.")
    var after: Int64?

    @Option(help: "Events of one request (1 … 1000).")
    var limit = 100

    @Flag(inversion: .prefixedNo, help: "Keep waiting for more.")
    var follow = true

    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient) async throws(ClientFailure) {
        var cursor = after.map(String.init)
        while true {
            var query: [(name: String, value: String)] = [("limit", String(limit))]
            if let cursor { query.append(("after", cursor)) }
            let data = try await client.answer(APIRequest(.get, ["v1", "events"], query: query))
            let page = try client.decoded(
                LogEventsAnswer.self, from: data, keys: .useDefaultKeys)
            for record in page.events { Terminal.result(line(record)) }
            if let next = page.next?.text { cursor = next }
            let isDrained = page.events.count < limit
            if isDrained, !follow { return }
            if isDrained {
                do { try await Task.sleep(for: Self.pollInterval) } catch { return }
            }
        }
    }

    private func line(_ record: LogEventsAnswer.Record) -> String {
        if connection.json {
            return JSONValue.object([
                "partition": .integer(record.partition), "offset": .integer(record.offset),
                "appended_at": .string(record.appendedAt), "event": record.event,
            ]).text
        }
        let event = record.event
        let words = [
            "\(record.partition):\(record.offset)", event["time"]?.string ?? record.appendedAt,
            event["type"]?.string ?? "-", event["subject"]?.string ?? "-",
            event["id"]?.string ?? "-", event["data"]?.text ?? "",
        ]
        return TextTable.printable(words.joined(separator: "  "))
    }
}
