import ArgumentParser
import Foundation

struct EventsTailCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail",
        abstract: "Print events as they are read from the log, until Ctrl-C.",
        discussion: """
            EXAMPLES
              tollgate events tail
              tollgate events tail --json | jq .event.subject

            Starts with the events that come from now on. One line an event; with --json one \
            JSON object a line. For older events read the log itself.

            \(CommandExit.help)
            """)

    private static let pollInterval = Duration.seconds(1)

    @Option(help: "Events of one request (1 … 1000).")
    var limit = 1_000

    @OptionGroup var connection: ConnectionOptions

    func perform(_ client: APIClient) async throws(ClientFailure) {
        var cursor = "0"
        while true {
            let data = try await client.answer(
                APIRequest(
                    .get, ["v1", "events"], query: [("after", cursor), ("limit", String(limit))]))
            let page = try client.decoded(LogEventsAnswer.self, from: data, keys: .useDefaultKeys)
            for record in page.events { Terminal.result(line(record)) }
            if let next = page.next?.text { cursor = next }
            if page.events.count < limit {
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
        // Whatever cannot be read as an event is shown as it came.
        guard case .object = event else {
            return TextTable.printable("\(record.partition):\(record.offset)  \(event.text)")
        }
        let words = [
            "\(record.partition):\(record.offset)", event["time"]?.string ?? record.appendedAt,
            event["type"]?.string ?? "-", event["subject"]?.string ?? "-",
            event["id"]?.string ?? "-", event["data"]?.text ?? "",
        ]
        return TextTable.printable(words.joined(separator: "  "))
    }
}
